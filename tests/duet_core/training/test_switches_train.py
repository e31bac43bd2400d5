"""The switches reach the step: each changes the losses that it is about, and bfloat16 computes on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from duet_core.experiment import Experiment
from duet_core.trainer import Trainer
from tests.duet_core.tiny_world import TinyWorld


def losses(world: TinyWorld, stage: str, **changes: Any) -> dict[str, float]:
    """The losses of one fixed step of an untrained model."""
    experiment: Experiment = world.experiment(**changes)
    split = experiment.split("test")
    planner = experiment.planner(split)
    task = experiment.build_task(split, planner, seed=0).eval()
    plan = planner.plan(torch.arange(0, 24, 2), stage, torch.Generator().manual_seed(3))  # type: ignore[arg-type]
    with torch.no_grad():
        found = task(plan, experiment.images.train_batch(plan.photos, torch.Generator().manual_seed(1)))
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize(
    ("stage", "changes", "changed"),
    [
        ("CLS", {"loss__score_for_ce": "probs"}, {"cc"}),
        ("CSG", {"loss__acl_normalise": False}, {"acl"}),
        ("CLS", {"loss__gamma_on": "probs"}, set()),
        ("CLS", {"language__freeze": True}, set()),  # which shows in training alone
    ],
)
def test_a_switch_changes_the_losses_that_it_is_about(
    tiny_world: TinyWorld, stage: str, changes: dict[str, Any], changed: set[str]
) -> None:
    before, after = losses(tiny_world, stage), losses(tiny_world, stage, **changes)
    assert {name for name in before if before[name] != after[name]} - {"loss"} == changed


@pytest.mark.parametrize("switch", ["class_weighting", "distance", "lwrs"])
def test_samplings_of_a_7_change_what_is_drawn(tiny_world: TinyWorld, switch: str) -> None:
    plans = []
    for value in {"class_weighting": ("squared", "softmax"), "distance": ("manhattan", "cosine"),
                  "lwrs": ("linear", "squared")}[switch]:  # fmt: skip
        experiment = tiny_world.experiment(**{f"sampling__{switch}": value})
        planner = experiment.planner(experiment.split("test"))
        plans.append([
            planner.plan(torch.arange(24), "CSG", torch.Generator().manual_seed(seed)).photos.tolist()
            for seed in range(5)
        ])  # fmt: skip
    assert plans[0] != plans[1]


def test_the_record_and_every_judgement_have_the_score_space(tiny_world: TinyWorld) -> None:
    for space in ("logits", "probs"):
        experiment = tiny_world.experiment(loss__gamma_on=space)
        split = experiment.split("test")
        task = experiment.build_task(split, experiment.planner(split), seed=0)
        assert experiment.judged(task, split).get("score_space") == space


def test_bfloat16_on_the_cpu_is_another_precision_of_the_same_step(tiny_world: TinyWorld, tmp_path: Path) -> None:
    found, kinds = [], []
    for on_cpu in (False, True):
        experiment = tiny_world.experiment(optimizer__bf16_on_cpu=on_cpu, cross_modal__dropout=0)
        split = experiment.split("test")
        planner = experiment.planner(split)
        task = experiment.build_task(split, planner, seed=0)
        made = Trainer(
            task=task,
            planner=planner,
            images=experiment.images,
            config=experiment.config,
            seed=0,
            folder=tmp_path / str(on_cpu),
            device=torch.device("cpu"),
        )
        task.model.attribute_head.register_forward_hook(lambda _module, _inputs, output: kinds.append(output.dtype))
        plan = planner.plan(torch.arange(6), "CLS", torch.Generator().manual_seed(0))
        hidden = experiment.images.train_batch(plan.photos, torch.Generator().manual_seed(1))
        found.append({name: float(value) for name, value in made._step(0, plan, hidden).items()})
    assert kinds == [torch.float32, torch.bfloat16]
    assert found[0] != found[1]
    assert found[0] == pytest.approx(found[1], rel=0.1, abs=0.05)
