"""The gradients with which a run would move its parameters, kept instead of used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from duet_core.experiment import Experiment
from duet_core.processes import Processes
from duet_core.trainer import Trainer
from tests.duet_core.tiny_world import TinyWorld


@dataclass
class SameImages:
    """Images that depend on their row alone, so that two ways of batching see the same."""

    side: int = 32

    def train_batch(self, rows: Tensor, generator: torch.Generator, own: Tensor | None = None) -> Tensor:  # noqa: ARG002
        rows = rows if own is None else rows[own]
        return torch.stack(
            [torch.randn(3, self.side, self.side, generator=torch.Generator().manual_seed(r)) for r in rows.tolist()]
        )

    def eval_batch(self, rows: Tensor) -> Tensor:
        return self.train_batch(rows, torch.Generator())


def plain_encoder(world: TinyWorld, **changes: Any) -> Experiment:
    """A vision-only recipe without batch norm or dropout: its loss is a mean over photos and nothing else."""
    return world.experiment(
        **{
            "variant": "vision_only",
            "vision__name": "test_vit",
            "vision__weights": None,
            "vision__pretrained": False,
            "vision__arguments": {"img_size": 32},
            "vision__frozen_stages": 0,
            "vision__batch_norm": False,
            "optimizer__epochs": 1,
            "optimizer__schedule": "constant",
            "optimizer__clip": 0.0,
        }
        | changes
    )


def gradients_of(
    world: TinyWorld, folder: Path, *, size: int, group: int, processes: Processes | None = None
) -> list[list[Tensor]]:
    """Gradients of every parameter at each update of one epoch, in which no parameter moves.

    Args:
        world: the recipe's data.
        folder: for the log.
        size: photos of a batch of one process.
        group: batches of one process in an update.
        processes: this process among several.
    """
    experiment = plain_encoder(world, optimizer__batch_size=size, optimizer__accumulation=group)
    split = experiment.split("test")
    planner, kept = experiment.planner(split), []
    made = Trainer(
        task=experiment.build_task(split, planner, seed=0),
        planner=planner,
        images=SameImages(),
        config=experiment.config,
        seed=0,
        folder=folder / f"{size}x{group}",
        device=torch.device("cpu"),
        processes=processes,
    )
    parameters = [parameter for part in made._optimizer.param_groups for parameter in part["params"]]

    def keep(*_: object) -> None:
        kept.append([parameter.grad.clone() for parameter in parameters if parameter.grad is not None])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made._optimizer, "step", keep)
        patch.setattr(made._schedule, "step", lambda: None)
        patch.setattr(made, "_save", lambda _: None)
        made.fit()
    return kept
