"""The linear map from the encoder's state to v, beside the cross-modal layers (not in the paper)."""

from __future__ import annotations

from typing import cast

import torch

from duet_core.model.build import build_duet
from duet_core.task import DuetTask
from tests.duet_core.tiny_world import TinyWorld


def test_with_it_v_starts_as_the_vision_only_model_and_both_paths_learn(tiny_world: TinyWorld) -> None:
    experiment = tiny_world.experiment(cross_modal__direct_path=True)
    split = experiment.split("test")
    task = experiment.build_task(split, experiment.planner(split), seed=0)
    assert isinstance(task, DuetTask)
    model, hidden = task.eval().model, experiment.images.eval_batch(torch.arange(3))
    assert model.direct_path is not None
    start, _ = task.predict(hidden)
    torch.testing.assert_close(start, model.direct_path(model.vision.tail(hidden)) + model.attribute_head.bias)
    start.square().sum().backward()  # type: ignore[no-untyped-call]
    for part in (model.attribute_head, model.direct_path):
        gradients = [cast(torch.Tensor, weight.grad) for weight in part.parameters() if weight.ndim > 1]
        assert gradients
        assert all(float(gradient.abs().max()) > 0 for gradient in gradients)
    with torch.no_grad():
        model.attribute_head.weight.normal_()
        fused, _ = task.predict(hidden)
        alone = model.attribute_head(torch.zeros(1, model.attribute_head.in_features))
    assert not torch.allclose(fused, start)
    torch.testing.assert_close(alone[0], model.attribute_head.bias)


def test_the_switch_leaves_the_other_parts_as_they_were_initialised(tiny_world: TinyWorld) -> None:
    plain = build_duet(tiny_world.config(), attributes=4, seed=0).state_dict()
    direct = build_duet(tiny_world.config(cross_modal__direct_path=True), attributes=4, seed=0).state_dict()
    assert {name.split(".")[0] for name in set(direct) - set(plain)} == {"direct_path"}
    for name in plain.keys() - {"attribute_head.weight"}:
        torch.testing.assert_close(direct[name], plain[name], equal_nan=True)
