"""What the benchmark of a training step is made of: drawn steps, and the model that takes them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from duet_core.benchmarks import Benchmark
from duet_core.classes import ClassTable
from duet_core.config import TrainConfig
from duet_core.experiment import Experiment
from duet_core.runtime import Bundle
from duet_core.step_plan import Stage, StepPlan
from duet_core.task import DuetTask
from duet_core.trainer import parameter_groups, placed

STAGES: tuple[Stage, ...] = ("CSG", "CLS")
_PHOTOS_OF_CLASS = 10


@dataclass(frozen=True)
class Steps:
    """A model with its optimiser, and one drawn step of each stage.

    Attributes:
        task: model and losses, in training mode, on its device.
        optimizer: AdamW over what trains.
        plans: by stage.
        images: (M, *H) by stage, what the trunk gives out for the plan's photos, or pixels where nothing is frozen.
        batch: anchors of a step.
        rho: share of stage CSG.
    """

    task: DuetTask
    optimizer: torch.optim.Optimizer
    plans: dict[Stage, StepPlan]
    images: dict[Stage, Tensor]
    batch: int
    rho: float


def steps(config: TrainConfig, bundle: Bundle, *, batch: int, device: torch.device) -> Steps:
    """Steps of a recipe, with the attributes and class vectors of `bundle` and random photos."""
    config = dataclasses.replace(
        config,
        vision=dataclasses.replace(config.vision, weights=None, pretrained=False),
        optimizer=dataclasses.replace(config.optimizer, batch_size=batch),
    )
    experiment = Experiment(config, device=device)
    experiment.benchmark = _benchmark(bundle)
    split = experiment.split("test")
    planner = experiment.planner(split)
    task = experiment.build_task(split, planner, seed=0)
    assert isinstance(task, DuetTask)
    placed(task, device).train()
    generator = torch.Generator().manual_seed(0)
    positions = torch.randperm(len(split.train), generator=generator)[:batch]
    plans = {stage: planner.plan(positions, stage, generator).to(device) for stage in STAGES}
    images = {stage: _images(task, len(plan.photos), config.data.image_size, device) for stage, plan in plans.items()}
    optimizer = torch.optim.AdamW(parameter_groups(task.model, config.optimizer), betas=config.optimizer.betas)
    return Steps(task, optimizer, plans, images, batch, config.sampling.rho)


@torch.no_grad()
def _images(task: DuetTask, count: int, size: int, device: torch.device) -> Tensor:
    """The trunk's output for random pixels: the cache of a run holds it for real ones."""
    pixels = torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1)).to(device)
    return task.model.vision.trunk(pixels).contiguous(memory_format=torch.channels_last)


def _benchmark(bundle: Bundle) -> Benchmark:
    """Two thirds of the bundle's classes as seen ones; photos are rows without a file behind them."""
    degrees = np.asarray(bundle.degrees, dtype=np.float32)
    count = len(degrees)
    labels = np.repeat(np.arange(count), _PHOTOS_OF_CLASS)
    seen = np.arange(count) < 2 * count // 3
    rows = np.arange(len(labels))
    trainval, unseen = rows[seen[labels]], rows[~seen[labels]]
    test_seen = trainval[trainval % _PHOTOS_OF_CLASS == 0]
    trainval = np.setdiff1d(trainval, test_seen)
    val = trainval[labels[trainval] >= count // 2]
    return Benchmark(
        name="drawn",
        schema=bundle.schema,
        classes=ClassTable(names=tuple(bundle.classes.ids), raw=degrees, seen=seen),
        image_paths=tuple(Path(f"{row}.jpg") for row in rows),
        labels=labels,
        trainval=trainval,
        test_seen=test_seen,
        test_unseen=unseen,
        train=np.setdiff1d(trainval, val),
        val=val,
    )
