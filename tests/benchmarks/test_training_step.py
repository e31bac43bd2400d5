"""The benchmark of a training step: its loop computes what `DuetTask` does, and each figure is of one way alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import _sample_loop
from benchmarks._steps import Steps
from benchmarks.report.training_step_section import markdown, run_table
from benchmarks.training_step import COUNTED, LOOP, OURS, added_mb, batched, count, measure
from duet_core.step_plan import Stage, StepPlan
from duet_core.task import DuetTask
from tests.duet_core.tiny_world import TinyWorld, write_world

torch.set_num_threads(1)  # these models are too small to gain from more
POSITIONS = torch.tensor([0, 1, 8, 9, 16, 17])
"""Six anchors of three classes."""
LOUD = {f"loss__lambda_{name}": 1.0 for name in ("ar", "sc", "con", "cmr", "acl")}
"""Every loss is heard in the sum."""


@pytest.fixture(scope="module")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> TinyWorld:
    return write_world(tmp_path_factory.mktemp("world"))


def drawn(world: TinyWorld, **changes: Any) -> Steps:
    """A tiny model in evaluation mode with a step of each stage; of the six anchors at least two have partners."""
    experiment = world.experiment(**LOUD | changes)
    split = experiment.split("test")
    planner = experiment.planner(split)
    task = experiment.build_task(split, planner, seed=0).eval()
    assert isinstance(task, DuetTask)
    plans: dict[Stage, StepPlan] = {"CLS": planner.plan(POSITIONS, "CLS", torch.Generator().manual_seed(0))}
    for seed in range(20):
        plans["CSG"] = planner.plan(POSITIONS, "CSG", torch.Generator().manual_seed(seed))
        grounding = plans["CSG"].grounding
        if grounding is not None and len(grounding.acl_anchor) > 1:
            break
    else:
        pytest.fail("no seed gives two anchors with partners")
    images = {
        stage: experiment.images.train_batch(plan.photos, torch.Generator().manual_seed(1))
        for stage, plan in plans.items()
    }
    optimizer = torch.optim.AdamW(task.parameters())
    return Steps(task, optimizer, plans, images, len(POSITIONS), experiment.config.sampling.rho)


def gradients(task: DuetTask, loss: Tensor) -> dict[str, Tensor]:
    """By name, of the parameters that the loss reaches."""
    task.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: part.grad.clone() for name, part in task.named_parameters() if part.grad is not None}


@pytest.mark.parametrize(("stage", "csg_v"), [("CSG", "sentence"), ("CSG", "template"), ("CLS", "sentence")])
def test_the_loop_has_the_loss_and_gradients_of_one_forward_pass(
    tiny_world: TinyWorld, stage: Stage, csg_v: str
) -> None:
    made = drawn(tiny_world, loss__csg_v=csg_v)
    made.task.model.double()
    task, plan, images = made.task, made.plans[stage], made.images[stage].double()
    ours, loop = batched(task, plan, images), _sample_loop.step_loss(task, plan, images)
    torch.testing.assert_close(loop, ours, rtol=1e-5, atol=0)  # the losses themselves are computed in float32
    wanted, found = gradients(task, ours), gradients(task, loop)
    assert found.keys() == wanted.keys()
    heads = ("class_contrast_head",) if stage == "CLS" else ("attribute_contrast_head", "mask_head")
    assert all(any(f".{head}." in name for name in found) for head in heads)
    scale = {name: float(part.abs().max()) + 1e-9 for name, part in wanted.items()}  # a key's bias moves nothing: 0
    found, wanted = ({name: part / scale[name] for name, part in of.items()} for of in (found, wanted))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


def test_the_loop_refuses_anchors_without_a_positive_of_their_own(tiny_world: TinyWorld) -> None:
    for changes in ({"sampling__con_anchors": 2}, {"sampling__positives": "in_batch"}, {"loss__lambda_con": 0.0}):
        made = drawn(tiny_world, **changes)
        with pytest.raises(ValueError, match=r"photos for 6 anchors.*sampling\.con_anchors null"):
            _sample_loop.step_loss(made.task, made.plans["CLS"], made.images["CLS"])


def test_the_loop_refuses_anchors_without_a_sentence(tiny_world: TinyWorld) -> None:
    made = drawn(tiny_world, sampling__csg_anchors=4)
    with pytest.raises(ValueError, match=r"got 4 masked sentences for 6 anchors.*sampling\.csg_anchors null"):
        _sample_loop.step_loss(made.task, made.plans["CSG"], made.images["CSG"])


def test_the_loop_does_more_arithmetic_and_every_way_has_a_row(tiny_world: TinyWorld) -> None:
    made = drawn(tiny_world)
    ways = {LOOP: (made, _sample_loop.step_loss), OURS: (made, batched)}
    rows = measure(ways, rounds=1, bf16=False, rate=1e9)
    assert [row["way"] for row in rows] == [LOOP, OURS]
    assert rows[0]["ratio"] == 1
    assert rows[0]["tflop_an_image"] > rows[1]["tflop_an_image"] > 0
    for row in rows:
        seconds = (made.rho * row["csg_seconds"] + (1 - made.rho) * row["cls_seconds"]) / len(POSITIONS)
        assert row["images_per_second"] == pytest.approx(1 / seconds)
        assert row["share_of_matrix_rate"] == pytest.approx(row["tflop_an_image"] * 1e12 / seconds / 1e9)
    lines = run_table({"small": rows}).splitlines()
    assert lines[3].startswith(f"| MobileNetV2, MiniLM | {OURS} | 6 | ")


def test_fused_attention_is_counted_like_any_other(tiny_world: TinyWorld) -> None:
    made = drawn(tiny_world)
    fused = count(made, batched, bf16=False)["tflop_an_image"]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        plain = count(made, batched, bf16=False)["tflop_an_image"]
    assert fused == pytest.approx(plain, rel=0.02)  # the fused backward pass computes the scores once more


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_a_convolution_is_counted_by_its_groups(groups: int) -> None:
    layer = torch.nn.Conv2d(8, 8, 3, padding=1, groups=groups, bias=False)
    with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
        layer(torch.ones(2, 8, 5, 5, requires_grad=True)).sum().backward()
    forward = 2 * (2 * 8 * 5 * 5) * (8 // groups) * 3 * 3  # of every output a product and a sum with each weight
    assert counter.get_total_flops() == 3 * forward


def test_memory_is_what_work_adds_whatever_ran_before() -> None:
    cpu, megabyte = torch.device("cpu"), 1_000_000

    def use(count: int) -> None:
        [torch.ones(megabyte // 4) for _ in range(count)]

    assert added_mb(cpu, lambda: use(300)) == pytest.approx(300, rel=0.1)
    assert added_mb(cpu, lambda: use(60)) == pytest.approx(60, rel=0.3)


def test_the_section_tells_of_each_device_and_its_goals() -> None:
    figures = (
        "images_per_second",
        "ratio",
        "processor_ratio",
        "csg_seconds",
        "cls_seconds",
        "tflop_an_image",
        "step_mb",
    )
    row: dict[str, Any] = dict.fromkeys(figures, 1.5)
    row |= {"way": OURS, "batch": 4, "share_of_matrix_rate": 0.25}
    run = {"machine": "GPU", "bf16": True, "rounds": 3, "matrix_tflops": 700.0, "others": 0.5}
    told = markdown(
        {"cuda": run | {"encoders": {"paper": [row, row]}}, "cpu": run | {"encoders": {"small": [row, row]}}}
    )
    assert told.startswith("GPU; bfloat16, medians of 3 rounds; one large product of matrices runs at 700.00 TFLOP/s.")
    assert "| images a second over the loop's | 4 | 10 | 1.50 |" in told
    assert "| share of the matrix rate | 25 % | 45 % | 25 % |" in told
    assert told.count("floor") == 1
    assert "The loop does 1.00 times (MobileNetV2, MiniLM) the arithmetic of one forward pass." in told
