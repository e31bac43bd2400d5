"""A configuration as plain data, and what has changed since an earlier one. No torch."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from duet_core.config import DataConfig, TrainConfig

_PACE = ("checkpoint_every", "log_every", "seeds", "validation_seeds", "false_reject_rate")
"""Fields of `run` that do not change what a step computes."""


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
