"""Checkpoints: written whole or not at all, and loaded only by the run that wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from duet_core.config import TrainConfig
from duet_core.recipe import changed_fields, recipe

_AFTERWARDS = "prototypes."
"""Fields that say what is made of a trained model: its checkpoint is the same."""


class CheckpointError(ValueError):
    """A checkpoint that belongs to another run."""


def save_checkpoint(file: Path, config: TrainConfig, *, seed: int, step: int, **state: Any) -> None:
    """Write a checkpoint atomically: under a temporary name first, then renamed over the last one.

    Args:
        file: where the newest checkpoint lies.
        config, seed: of the run; `load_checkpoint` refuses any other.
        step: steps that are done.
        state: what else is kept; tensors, numbers, text and containers of them.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    torch.save({"recipe": recipe(config), "seed": seed, "step": step, **state}, temporary)
    temporary.replace(file)


def begun_by(file: Path) -> int | None:
    """How many processes the run of a checkpoint was begun with: what its batch is a multiple of. None without one.

    Raises CheckpointError for several processes of an earlier version, each of which drew for itself.
    """
    if not file.exists():
        return None
    state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    if "begun" not in state and state.get("world", 1) > 1:
        raise CheckpointError(
            f"{file} was written by {state['world']} processes of an earlier version, which took other steps; "
            "choose another --out or remove that folder"
        )
    return int(state.get("begun", 1))


def load_checkpoint(file: Path, config: TrainConfig, *, seed: int, device: torch.device) -> dict[str, Any] | None:
    """The state in `file`, or None when there is none.

    Raises CheckpointError when it was written under another configuration or seed; the message names the fields.
    """
    if not file.exists():
        return None
    state: dict[str, Any] = torch.load(file, map_location=device, weights_only=True)
    changed = [name for name in changed_fields(state["recipe"], config) if not name.startswith(_AFTERWARDS)]
    if changed or state["seed"] != seed:
        raise CheckpointError(
            f"{file} was written by another run: {', '.join(changed) or 'seed'} changed; "
            f"choose another --out or remove that folder"
        )
    return state
