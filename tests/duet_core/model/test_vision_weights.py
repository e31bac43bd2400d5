"""Weights of vision encoders from local files and folders, at the encoder's own input size and at twice that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from duet_core.model.vision import VisionEncoder, load_vision_network
from duet_core.model.vision_weights import advice

TINY = {"embed_dim": 24, "depth": 2, "num_heads": 2}
DEIT = "deit_base_distilled_patch16_224"


def write_hub_folder(folder: Path, name: str, **arguments: Any) -> Path:
    """A folder as downloaded from the hub: config.json and model.safetensors, with the classifier."""
    folder.mkdir()
    torch.manual_seed(1)
    state = timm.create_model(name, pretrained=False, **arguments).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": name.split(".")[0]}))
    return folder


def test_a_folder_of_the_hub_is_read(tmp_path: Path) -> None:
    folder = write_hub_folder(tmp_path / "deit", DEIT, **TINY)
    loaded = load_vision_network(name=f"{DEIT}.fb_in1k", weights=folder, pretrained=True, arguments=dict(TINY))
    one = load_vision_network(name=DEIT, weights=folder / "model.safetensors", pretrained=True, arguments=dict(TINY))
    pixels = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.eval()(pixels), one.eval()(pixels))


def test_position_embeddings_are_resampled_to_the_asked_size(tmp_path: Path) -> None:
    folder = write_hub_folder(tmp_path / "deit", DEIT, **TINY)
    large = load_vision_network(name=DEIT, weights=folder, pretrained=True, arguments={**TINY, "img_size": 448})
    own = load_vision_network(name=DEIT, weights=folder, pretrained=True, arguments=dict(TINY))
    dynamic = load_vision_network(
        name=DEIT, weights=folder, pretrained=True, arguments={**TINY, "dynamic_img_size": True}
    )
    positions, own_positions = large.state_dict()["pos_embed"], own.state_dict()["pos_embed"]
    assert positions.shape == (1, 2 + 28 * 28, 24)
    torch.testing.assert_close(positions[:, :2], own_positions[:, :2])  # of [CLS] and of the distillation token
    pixels = torch.rand(1, 3, 448, 448, generator=torch.Generator().manual_seed(0))
    states = [VisionEncoder(network=n, frozen_stages=0, visual_token="cls").eval()(pixels) for n in (large, dynamic)]
    assert states[0].shape == (1, 24)
    torch.testing.assert_close(states[0], states[1], rtol=1e-3, atol=1e-3)


def test_swin_takes_its_weights_to_448(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 2, 4, 8)}
    folder = write_hub_folder(tmp_path / "swin", "swin_base_patch4_window7_224", **arguments)
    network = load_vision_network(
        name="swin_base_patch4_window7_224", weights=folder, pretrained=True, arguments={**arguments, "img_size": 448}
    )
    vision = VisionEncoder(network=network, frozen_stages=0, visual_token="pooled").eval()
    assert vision(torch.zeros(1, 3, 448, 448)).shape == (1, vision.num_features)


def test_folders_without_weights_or_of_another_encoder_are_refused(tmp_path: Path) -> None:
    folder = write_hub_folder(tmp_path / "vit", "test_vit")
    with pytest.raises(ValueError, match=r"vision\.weights: .*vit holds 'test_vit', but vision\.name is 'test_vit2'"):
        load_vision_network(name="test_vit2", weights=folder, pretrained=True)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"no model\.safetensors or pytorch_model\.bin in .*of timm/test_vit"):
        load_vision_network(name="test_vit", weights=folder, pretrained=True)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (DEIT, "timm/deit_base_distilled_patch16_224.fb_in1k"),
        ("swin_base_patch4_window7_224.ms_in1k", "timm/swin_base_patch4_window7_224.ms_in1k"),
        ("vit_base_patch16_224.augreg_in1k", "timm/vit_base_patch16_224.augreg_in1k"),
        ("hf-hub:owner/encoder", "owner/encoder"),
    ],
)
def test_advice_names_the_source_of_the_very_weights(name: str, source: str) -> None:
    assert f"model.safetensors and config.json of {source} into a folder" in advice(name)
