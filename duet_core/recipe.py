"""A configuration as plain data, and what has changed since an earlier one. No torch."""

from __future__ import annotations

import dataclasses
import hashlib
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


def identity(config: TrainConfig | dict[str, Any]) -> str:
    """16 hexadecimal digits that recipes of the same training share: a configuration, or a `recipe` read from JSON.

    Only what differs from the defaults counts, so that a field added later leaves the identity of older recipes.
    """
    plain = flat(recipe(config) if isinstance(config, TrainConfig) else config)
    defaults = flat(recipe(TrainConfig(data=DataConfig(root=""))))
    own = {name: _number(plain[name]) for name in defaults if name in plain and plain[name] != defaults[name]}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]


def _number(value: Any) -> Any:
    """Whole numbers as floats: 1 and 1.0 are the same setting."""
    if isinstance(value, dict):
        return {name: _number(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_number(entry) for entry in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def flat(parts: dict[str, Any]) -> dict[str, Any]:
    """Section and field joined by a dot; tuples as the lists that JSON makes of them."""
    plain: dict[str, Any] = json.loads(json.dumps(parts))
    return {
        f"{part}.{name}" if isinstance(fields, dict) else part: value
        for part, fields in plain.items()
        for name, value in (fields if isinstance(fields, dict) else {part: fields}).items()
    }
