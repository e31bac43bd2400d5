"""The vision encoder: trunk and tail are timm's network, what is frozen stays frozen, mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import config as timm_config
from timm.data import transforms_factory
from torch import nn

from duet_core.config import VisionConfig
from duet_core.model.build import build_preprocessing, build_vision
from duet_core.model.frozen_trunk import trunk_runner
from duet_core.model.vision import VisionEncoder, load_vision_network
from tests.duet_core.tiny_world import spread_batch_norms

SIZE = 32
NAMES: dict[str, dict[str, Any]] = {
    "test_efficientnet": {},
    "mobilenetv2_035": {"pad_type": "same"},
    "mobilenetv3_small_050": {},
    "test_vit": {"img_size": SIZE},
}


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **NAMES.get(name, {}))
    spread_batch_norms(made)
    return made


def pixels(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stages", [0, 1, 3])
def test_trunk_and_tail_are_the_whole_network(name: str, stages: int) -> None:
    net = network(name).eval()
    vision = VisionEncoder(network=net, frozen_stages=stages, visual_token="pooled").eval()
    state = vision(pixels())
    torch.testing.assert_close(state, net(pixels()))
    assert state.shape == (3, vision.num_features)
    torch.testing.assert_close(vision.tail(vision.trunk(pixels())), state)
    assert (stages == 0) == torch.equal(vision.trunk(pixels()), pixels())


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit"])
def test_the_frozen_trunk_has_no_gradient_and_never_changes(name: str) -> None:
    vision = VisionEncoder(network=network(name), frozen_stages=2, visual_token="pooled").train()
    before = vision.trunk(pixels()).clone()
    frozen = {id(p) for module in vision.trunk_modules() for p in module.parameters()}
    frozen |= {id(p) for p in vision.trunk_parameters()}
    assert {id(p) for p in vision.parameters() if not p.requires_grad} == frozen
    statistics = {key: value.clone() for key, value in vision.state_dict().items() if "running" in key}
    optimizer = torch.optim.SGD([p for p in vision.parameters() if p.requires_grad], lr=0.1)
    vision(pixels()).square().sum().backward()
    optimizer.step()
    torch.testing.assert_close(vision.trunk(pixels()), before, rtol=0, atol=0)
    trunk = ("network.conv_stem", "network.bn1", "network.blocks.0", "network.blocks.1")
    for key, value in statistics.items():
        assert torch.equal(vision.state_dict()[key], value) == key.startswith(trunk), key


def test_position_embeddings_of_a_vit_are_part_of_the_trunk() -> None:
    vision = VisionEncoder(network=network("test_vit"), frozen_stages=1, visual_token="cls")
    assert not vision.network.pos_embed.requires_grad
    assert not vision.network.cls_token.requires_grad
    whole = VisionEncoder(network=network("test_vit"), frozen_stages=0, visual_token="cls")
    assert whole.network.pos_embed.requires_grad


def test_a_frozen_encoder_keeps_its_statistics_in_training_mode() -> None:
    vision = VisionEncoder(network=network("test_efficientnet"), frozen_stages=0, visual_token="pooled", freeze=True)
    before = {key: value.clone() for key, value in vision.state_dict().items()}
    vision.train()
    vision(pixels())
    assert all(torch.equal(value, before[key]) for key, value in vision.state_dict().items())
    assert not any(parameter.requires_grad for parameter in vision.parameters())


def test_visual_token_is_the_class_token_or_the_pooled_state() -> None:
    net = network("test_vit").eval()
    tokens = net.forward_features(pixels())  # type: ignore[operator]
    cls = VisionEncoder(network=net, frozen_stages=2, visual_token="cls").eval()
    torch.testing.assert_close(cls(pixels()), tokens[:, 0])
    flat = network("test_efficientnet").eval()
    pooled = VisionEncoder(network=flat, frozen_stages=0, visual_token="pooled").eval()
    torch.testing.assert_close(pooled(pixels()), flat.forward_features(pixels()).mean(dim=(2, 3)))  # type: ignore[operator]


def test_mistakes_are_named_by_their_field() -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("test_efficientnet", {"visual_token": "cls"}, r"vision\.visual_token: got 'cls', but EfficientNet"),
        ("test_efficientnet", {"frozen_stages": 5}, r"vision\.frozen_stages: got 5; allowed is 0…4"),
        ("test_efficientnet", {"frozen_stages": -1}, r"vision\.frozen_stages: got -1"),
        ("test_resnet", {"frozen_stages": 1}, r"vision\.frozen_stages: got 1, but the stages of ResNet are not known"),
    ]
    for name, change, message in cases:
        settings: dict[str, Any] = {"frozen_stages": 0, "visual_token": "pooled"} | change
        with pytest.raises(ValueError, match=message):
            VisionEncoder(network=network(name), **settings)


def test_unknown_names_and_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"vision\.name: got 'mobilenetv2_10'.*mobilenetv2_100"):
        load_vision_network(name="mobilenetv2_10", weights=None, pretrained=False)
    with pytest.raises(FileNotFoundError, match=r"vision\.weights: no file .*none\.safetensors"):
        load_vision_network(name="test_vit", weights=tmp_path / "none.safetensors", pretrained=False)


def test_weights_are_loaded_or_refused(tmp_path: Path) -> None:
    net, file = network("test_efficientnet"), tmp_path / "weights.safetensors"
    state = net.state_dict() | {"classifier.weight": torch.zeros(10, 256), "classifier.bias": torch.zeros(10)}
    save_file(state, file)
    loaded = load_vision_network(name="test_efficientnet", weights=file, pretrained=True)
    assert all(torch.equal(value, state[key]) for key, value in loaded.state_dict().items())
    torch.save(net.state_dict(), tmp_path / "weights.pth")
    load_vision_network(name="test_efficientnet", weights=tmp_path / "weights.pth", pretrained=False)
    del state["conv_stem.weight"]
    save_file(state | {"more.weight": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=r"vision\.weights: .*missing \['conv_stem.weight'\], unexpected \['more"):
        load_vision_network(name="test_efficientnet", weights=file, pretrained=False)
    save_file(net.state_dict() | {"conv_stem.weight": torch.zeros(2, 2)}, file)
    with pytest.raises(ValueError, match=r"vision\.weights: weights\.safetensors does not fit 'test_efficientnet'"):
        load_vision_network(name="test_efficientnet", weights=file, pretrained=False)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit"])
def test_the_compiled_trunk_equals_torch(name: str) -> None:
    vision = VisionEncoder(network=network(name), frozen_stages=2, visual_token="pooled").eval()
    run = trunk_runner(vision, size=SIZE, device=torch.device("cpu"))
    with torch.no_grad():
        torch.testing.assert_close(run(pixels(6)), vision.trunk(pixels(6)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "own", [{"crop_pct": 0.8, "interpolation": "bilinear"}, {"crop_pct": 0.875, "mean": (0.5, 0.4, 0.3)}]
)
def test_an_encoder_gets_the_preprocessing_it_was_trained_with(own: dict[str, Any]) -> None:
    """As timm prepares photos, at sizes where no half pixel is rounded, in which the two differ."""
    config = VisionConfig(name="test_efficientnet", pretrained=False, crop_pct=None, interpolation=None)
    vision = build_vision(config)
    vision.network.pretrained_cfg = vision.network.pretrained_cfg | own
    prepare = build_preprocessing(config, vision, size=56)
    asked: dict[str, Any] = timm_config.resolve_data_config(  # type: ignore[no-untyped-call]
        {"input_size": (3, 56, 56)}, pretrained_cfg=vision.network.pretrained_cfg
    )
    timms = transforms_factory.create_transform(**asked)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=np.uint8))
    assert prepare.resize == int(56 / own["crop_pct"])
    torch.testing.assert_close(torch.from_numpy(prepare(picture)), timms(picture), rtol=0, atol=1e-5)


def test_the_recipe_may_choose_another_preprocessing() -> None:
    config = VisionConfig(name="test_efficientnet", pretrained=False, mean=(0.1, 0.2, 0.3))
    prepare = build_preprocessing(config, build_vision(config), size=64)
    assert (prepare.mean, prepare.std) == ((0.1, 0.2, 0.3), (0.229, 0.224, 0.225))
    assert (prepare.resize, prepare.interpolation) == (64, "bicubic")  # photos cut to the object keep their borders


@pytest.mark.parametrize(
    ("name", "stages", "settings"),
    [
        ("test_efficientnet", 2, {}),
        ("mobilenetv3_small_050", 0, {}),
        ("deit_tiny_distilled_patch16_224", 1, {"img_size": SIZE, "depth": 2}),
    ],
)
def test_logits_are_those_of_the_encoders_own_classifier(
    name: str, stages: int, settings: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    whole = timm.create_model(name, pretrained=False, **settings).eval()
    spread_batch_norms(whole)
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    config = VisionConfig(
        name=name,
        weights=str(tmp_path / "whole.safetensors"),
        frozen_stages=stages,
        visual_token="logits",
        arguments=settings,
    )
    vision = build_vision(config).eval()
    with torch.no_grad():
        torch.testing.assert_close(vision.tail(vision.trunk(pixels())), whole(pixels()))
    assert vision.num_features == 1000
    bare = {key: value for key, value in whole.state_dict().items() if not key.startswith(("classifier", "head"))}
    save_file(bare, tmp_path / "whole.safetensors")
    with pytest.raises(ValueError, match=r"vision\.weights: whole\.safetensors does not fit .*: missing \['"):
        build_vision(config)
    with pytest.raises(ValueError, match=r"vision\.visual_token: got 'logits', but this .* has no classifier"):
        VisionEncoder(network=network("test_efficientnet"), frozen_stages=0, visual_token="logits")
