"""Runs of one recipe by a number of processes, for the tests that compare them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from duet_core.experiment import Experiment
from duet_core.processes import Processes
from duet_core.trainer import Trainer
from tests.duet_core.tiny_world import TinyWorld

SIZE = 8
"""Anchors of a step, of all processes together."""
SEED = 1
"""One with which there are steps of many partners, and one where only one of two processes has any."""
CASES: dict[str, dict[str, Any]] = {
    "drawn": {"loss__lambda_acl": 1.0},
    "accumulated": {"loss__lambda_acl": 1.0, "optimizer__accumulation": 2, "sampling__con_anchors": 4},
    "paired": {"sampling__positives": "in_batch", "loss__csg_v": "template", "sampling__csg_anchors": 4},
}
"""What a run is of; each has stage CLS with L_con, stage CSG with L_acl, and batch norms. Numbers of anchors are of all
processes together."""


def made(world: TinyWorld, folder: Path, *, begun: int, processes: Processes | None = None, **changes: Any) -> Trainer:
    """A trainer whose step has SIZE anchors when `begun` processes begin it. Nothing is dropped out."""
    settings = {
        "optimizer__batch_size": SIZE // begun,
        "optimizer__schedule": "constant",
        "optimizer__lr_new": 1e-3,
        "sampling__rho": 0.6,
        "run__checkpoint_every": 3,
    }
    caps = {name: 4 // begun for name in ("sampling__con_anchors", "sampling__csg_anchors") if name in changes}
    experiment = world.experiment(**(settings | changes | caps))
    split = experiment.split("test")
    planner = experiment.planner(split)
    trainer = Trainer(
        task=experiment.build_task(split, planner, seed=SEED),
        planner=planner,
        images=experiment.images,
        config=experiment.config,
        seed=SEED,
        folder=folder,
        device=torch.device("cpu"),
        processes=processes,
    )
    for part in trainer.task.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return trainer


def with_plain_steps(patch: pytest.MonkeyPatch) -> None:
    """Plain gradient descent instead of AdamW, which hides a gradient that is too large and magnifies one of 0."""
    patch.setattr(torch.optim, "AdamW", lambda groups, betas: torch.optim.SGD(groups, lr=0.01))  # noqa: ARG005


def with_large_epsilon(patch: pytest.MonkeyPatch) -> None:
    """AdamW that leaves alone what has no gradient but rounding errors, which its own epsilon of 1e-8 would magnify."""
    known = torch.optim.AdamW
    patch.setattr(torch.optim, "AdamW", lambda groups, betas: known(groups, betas=betas, eps=1e-2))


def predictions(world: TinyWorld, processes: Processes | None = None) -> torch.Tensor:
    """v of all photos, of an untrained model."""
    experiment = Experiment(world.config(), device=torch.device("cpu"), processes=processes)
    split = experiment.split("test")
    task = experiment.build_task(split, experiment.planner(split), seed=0)
    rows = torch.arange(len(experiment.benchmark.labels)).numpy()
    return torch.from_numpy(experiment.predict(task, rows))
