"""The shares of a step: together they are the step, whatever the number of processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from duet_core.processes import Processes
from duet_core.step_plan import Stage, StepPlan
from tests.duet_core.tiny_world import TinyWorld


def plans(world: TinyWorld, stage: Stage, *, count: int, **changes: Any) -> tuple[Any, Callable[..., StepPlan]]:
    """A task in evaluation mode, and what draws a process's plan of one and the same step of `count` anchors."""
    experiment = world.experiment(**changes)
    split = experiment.split("test")
    planner = experiment.planner(split)

    def plan(processes: Processes | None = None) -> StepPlan:
        draws = torch.Generator().manual_seed(4)
        return planner.plan(torch.arange(count) * 2, stage, draws, processes=processes)

    return experiment.build_task(split, planner, seed=0).eval(), plan


def shares(plan: Callable[..., StepPlan], world: int) -> list[StepPlan]:
    return [plan(Processes(rank, world)) for rank in range(world)]


@pytest.mark.parametrize(
    ("changes", "worlds"),
    [({}, (2, 3, 5, 7)), ({"sampling__csg_anchors": 4, "sampling__acl_anchors": 3}, (2, 3, 4))],
)
def test_shares_have_the_losses_of_the_step(
    tiny_world: TinyWorld, changes: dict[str, int], worlds: tuple[int, ...]
) -> None:
    task, draw = plans(tiny_world, "CSG", count=5, loss__lambda_acl=1.0, **changes)
    plan = draw()
    assert plan.grounding is not None
    assert len(plan.grounding.acl_anchor) > 0
    pixels = torch.randn(len(plan.photos), 3, 32, 32, generator=torch.Generator().manual_seed(2))
    hidden = task.model.vision.trunk(pixels)
    whole = task(plan, hidden)
    assert {"cc", "ar", "sc", "cmr", "acl", "loss"} == whole.keys()
    for world in worlds:
        parts = [task(part, hidden[part.share.rows]) for part in shares(draw, world) if part.share]
        for name, value in whole.items():
            mean = torch.stack([part[name] for part in parts]).mean()
            torch.testing.assert_close(mean, value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("stage", "positives"), [("CLS", "drawn"), ("CLS", "in_batch"), ("CSG", "drawn")])
def test_gathered_photos_are_those_of_the_step(tiny_world: TinyWorld, stage: Stage, positives: str) -> None:
    _, draw = plans(tiny_world, stage, count=6, sampling__positives=positives)
    for world in (2, 3, 5, 8):
        check_gathered(draw(), shares(draw, world))


def check_gathered(plan: StepPlan, parts: list[StepPlan]) -> None:
    gathered = torch.cat([part.photos for part in parts])
    for part in parts:
        assert part.share is not None
        assert part.share.sizes == tuple(len(each.photos) for each in parts)
        assert torch.equal(gathered[part.share.order], plan.photos)
        assert torch.equal(part.share.label, plan.label)
        assert torch.equal(part.photos, plan.photos[part.share.rows])
        assert torch.equal(part.label, plan.label[part.share.rows])
        assert (part.positive is None) == (plan.positive is None)
    anchors = [part.anchors for part in parts[:6]]
    assert sum(anchors) == 6
    assert max(anchors) - min(anchors) <= 1
    assert [part.share.anchors for part in parts[6:] if part.share] == [0.0] * (len(parts) - 6)


def test_the_sentences_of_a_share_are_those_of_the_step(tiny_world: TinyWorld) -> None:
    _, draw = plans(tiny_world, "CSG", count=6, sampling__csg_anchors=4, language__max_tokens=12)
    whole = draw().grounding
    assert whole is not None
    assert len(whole.acl_anchor) > 0
    told = [whole.sentences.input_ids[row][mask].tolist() for row, mask in enumerate(whole.sentences.attention_mask)]
    found: list[list[int]] = []
    for part in shares(draw, 3):
        assert part.grounding is not None
        sentences = part.grounding.sentences
        found += [sentences.input_ids[row][mask].tolist() for row, mask in enumerate(sentences.attention_mask)]
    assert sorted(found) == sorted(told)


def test_the_recipes_numbers_are_of_each_process(tiny_world: TinyWorld) -> None:
    caps = {"sampling__csg_anchors": 2, "sampling__acl_anchors": 1, "sampling__con_anchors": 2}
    experiment = tiny_world.experiment(**caps)
    planner = experiment.planner(experiment.split("test"))
    for begun, masked in ((1, 2), (3, 6), (9, 8)):
        draws = torch.Generator().manual_seed(1)
        grounded = planner.plan(torch.arange(8), "CSG", draws, begun=begun)
        assert grounded.grounding is not None
        assert len(grounded.grounding.degree) == masked
        assert len(grounded.grounding.acl_anchor) + grounded.grounding.skipped == min(begun, 8)
        classified = planner.plan(torch.arange(8), "CLS", draws, begun=begun)
        assert classified.positive is not None
        assert len(classified.positive) == masked
