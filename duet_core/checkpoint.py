"""Checkpoints: written whole or not at all, and loaded only by the run that wrote them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from duet_core.config import DataConfig, TrainConfig

_PACE = ("checkpoint_every", "log_every", "seeds", "validation_seeds", "false_reject_rate")
"""Fields of `run` that do not change what a step computes."""


class CheckpointError(ValueError):
    """A checkpoint that belongs to another run."""


def recipe(config: TrainConfig) -> dict[str, Any]:
    """The configuration as plain data, without what leaves the training unchanged."""
    plain = dataclasses.asdict(config)
    plain["data"].pop("cache")
    for name in _PACE:
        plain["run"].pop(name)
    return plain


def changed_fields(then: dict[str, Any], config: TrainConfig) -> list[str]:
    """Names such as ``optimizer.epochs`` of what differs between an earlier `recipe` (as it was, or read from JSON) and
    this one. A field that did not exist then counts as having had its default.
    """
    before = flat(recipe(TrainConfig(data=DataConfig(root="")))) | flat(then)
    return [name for name, value in flat(recipe(config)).items() if before[name] != value]


def flat(parts: dict[str, Any]) -> dict[str, Any]:
    """Section and field joined by a dot; tuples as the lists that JSON makes of them."""
    plain: dict[str, Any] = json.loads(json.dumps(parts))
    return {
        f"{part}.{name}" if isinstance(fields, dict) else part: value
        for part, fields in plain.items()
        for name, value in (fields if isinstance(fields, dict) else {part: fields}).items()
    }


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


def load_checkpoint(file: Path, config: TrainConfig, *, seed: int, device: torch.device) -> dict[str, Any] | None:
    """The state in `file`, or None when there is none.

    Raises CheckpointError when it was written under another configuration or seed; the message names the fields.
    """
    if not file.exists():
        return None
    state: dict[str, Any] = torch.load(file, map_location=device, weights_only=True)
    changed = changed_fields(state["recipe"], config)
    if changed or state["seed"] != seed:
        raise CheckpointError(
            f"{file} was written by another run: {', '.join(changed) or 'seed'} changed; "
            f"choose another --out or remove that folder"
        )
    return state
