"""Patches as visual input (Table 3, rows 1 and 2): what a patch is, and which tokens v is read off."""

from __future__ import annotations

from typing import Any, cast

import pytest
import timm
import torch
from torch import Tensor, nn

from duet_core.config import ConfigError
from duet_core.experiment import Experiment
from duet_core.export.folding import FoldedVision, fold_grounding
from duet_core.export.limits import ExportError, demand_exportable
from duet_core.model.vision import VisionEncoder
from duet_core.task import DuetTask
from tests.duet_core.tiny_world import TinyWorld, spread_batch_norms

SIZE = 64


def encoder(name: str, frozen: int, **settings: Any) -> VisionEncoder:
    torch.manual_seed(0)
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **settings)
    spread_batch_norms(network)
    return VisionEncoder(network=network, frozen_stages=frozen, visual_token="pooled").eval()


def pixels(count: int = 2) -> Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("frozen", [0, 2])
@pytest.mark.parametrize("name", ["mobilenetv2_035", "mobilenetv3_small_050", "test_efficientnet"])
def test_patches_of_a_convolutional_encoder_are_its_cells_through_the_head(name: str, frozen: int) -> None:
    vision = encoder(name, frozen)
    with torch.no_grad():
        state, patches = vision.tail_with_patches(vision.trunk(pixels()))
        features = vision.network.forward_features(pixels())  # (B, C, H, W)
        cells = [
            vision.network.forward_head(features[:, :, row : row + 1, column : column + 1], pre_logits=True)
            for row in range(features.shape[2])
            for column in range(features.shape[3])
        ]
        torch.testing.assert_close(state, vision(pixels()))
    torch.testing.assert_close(patches, torch.stack(cells, dim=1))
    assert len(cells) > 1
    assert patches.shape[2] == vision.num_features
    if name != "mobilenetv3_small_050":  # whose head follows the pooling
        torch.testing.assert_close(patches.mean(dim=1), state)


def test_patches_of_a_transformer_are_its_tokens_after_the_prefix() -> None:
    vision = encoder("deit_tiny_distilled_patch16_224", 0, img_size=SIZE, depth=2)
    with torch.no_grad():
        state, patches = vision.tail_with_patches(pixels())
        tokens = vision.network.forward_features(pixels())
    assert patches.shape == (2, (SIZE // 16) ** 2, vision.num_features)
    torch.testing.assert_close(patches, tokens[:, 2:])  # [CLS] and the distillation token
    torch.testing.assert_close(state, vision(pixels()))


def test_patches_of_swin_are_its_cells_row_by_row() -> None:
    vision = encoder(
        "swin_tiny_patch4_window7_224", 0, img_size=SIZE, window_size=2, depths=(1, 1), num_heads=(2, 2), embed_dim=16
    )
    with torch.no_grad():
        state, patches = vision.tail_with_patches(pixels())
        features = vision.network.forward_features(pixels())  # (B, H, W, C)
    torch.testing.assert_close(patches, features.flatten(1, 2))
    torch.testing.assert_close(patches.mean(dim=1), state)


def task_of(experiment: Experiment) -> DuetTask:
    split = experiment.split("test")
    task = experiment.build_task(split, experiment.planner(split), seed=0)
    assert isinstance(task, DuetTask)
    return task


@pytest.mark.parametrize("visual_input", ["patches", "pooled_patches"])
@pytest.mark.parametrize("layers", [1, 2])
def test_v_is_read_off_the_state_or_the_mean_of_the_patches(
    tiny_world: TinyWorld, visual_input: str, layers: int
) -> None:
    """Image by image and token by token, with the projection applied to each token alone."""
    experiment = tiny_world.experiment(
        cross_modal__visual_input=visual_input, cross_modal__layers=layers, data__image_size=40
    )
    task = task_of(experiment).eval()
    model, hidden = task.model, experiment.images.eval_batch(torch.arange(3))
    with torch.no_grad():
        v, token = task.predict(hidden)
        ids = cast(Tensor, task.template_ids)
        mask = torch.ones_like(ids, dtype=torch.bool)
        text = model.text_states(ids, mask)
        for row in range(3):
            state, patches = model.vision.tail_with_patches(hidden[row : row + 1])
            assert patches.shape[1] > 1
            inputs = [*patches[0]] if visual_input == "pooled_patches" else [state[0], *patches[0]]
            tokens = torch.stack([model.image_projection(one[None])[0] for one in inputs])[None]
            fused, _ = model.cross_modal(tokens, text, mask)
            if visual_input == "patches":
                expected, stands = model.attribute_head(fused[0, 0]), tokens[0, 0]
            else:
                expected = torch.stack([model.attribute_head(one) for one in fused[0]]).mean(dim=0)
                stands = tokens[0].mean(dim=0)
            torch.testing.assert_close(v[row], expected, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(token[row], stands, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("visual_input", ["patches", "pooled_patches"])
@pytest.mark.parametrize("stage", ["CLS", "CSG"])
def test_both_stages_train_and_words_attend_to_single_patches(
    tiny_world: TinyWorld, visual_input: str, stage: str
) -> None:
    experiment = tiny_world.experiment(cross_modal__visual_input=visual_input, data__image_size=40)
    planner = experiment.planner(experiment.split("test"))
    task = task_of(experiment).train()
    plan = planner.plan(torch.tensor([0, 1, 8, 9]), stage, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    hidden = experiment.images.train_batch(plan.photos, torch.Generator().manual_seed(1))
    losses = task(plan, hidden)
    losses["loss"].backward()
    assert bool(torch.isfinite(losses["loss"]))
    layer = task.model.cross_modal.layers[0]
    if stage == "CSG":  # the keys of a single image token have no gradient: its weight is always 1
        gradient = cast(nn.Linear, cast(Any, layer).text_from_image.key).weight.grad
        assert gradient is not None
        assert float(gradient.abs().max()) > 0


def test_patches_cannot_be_folded_or_exported(tiny_world: TinyWorld) -> None:
    experiment = tiny_world.experiment(cross_modal__visual_input="patches")
    task, sentences = task_of(experiment), experiment.template_builder
    with pytest.raises(ExportError, match=r"cross_modal\.visual_input: got 'patches'"):
        FoldedVision(task.model, sentences.template())
    with pytest.raises(ExportError, match=r"cross_modal\.visual_input: got 'patches'"):
        fold_grounding(task.model, sentences, experiment.tokenizer)
    with pytest.raises(ConfigError, match=r"cross_modal\.visual_input: got 'patches'; allowed is 'state'"):
        demand_exportable(experiment.config)
    demand_exportable(tiny_world.config())


def test_patches_beside_vision_only_are_refused(tiny_world: TinyWorld) -> None:
    with pytest.raises(ConfigError, match=r"cross_modal\.visual_input: got 'patches' beside variant vision_only"):
        tiny_world.config(cross_modal__visual_input="patches", variant="vision_only")


def test_the_default_builds_the_same_weights(tiny_world: TinyWorld) -> None:
    plain = task_of(tiny_world.experiment()).model.state_dict()
    patched = task_of(tiny_world.experiment(cross_modal__visual_input="patches")).model.state_dict()
    assert plain.keys() == patched.keys()
    assert all(torch.equal(value, patched[name]) for name, value in plain.items())
