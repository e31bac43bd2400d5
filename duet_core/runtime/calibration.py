"""The numbers that turn scores into answers: gamma, temperature and rejection threshold of a bundle."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from duet_core.runtime.evidence import KINDS, EvidenceKind

PERCENTILES = 101
_PERCENTILE_FIELDS = ("margins_seen", "margins_unseen", "evidence_percentiles")
"""Margins are kept as their percentiles 0, 1, …, 100."""


class CalibrationError(ValueError):
    """A calibration that cannot be used as it stands."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was fitted on validation classes, and how well. Fields that default to None are not in older bundles.

    Attributes:
        gamma: subtracted from the score v·z of every seen class (Eq. 22); finite.
        temperature: probabilities are the softmax of calibrated scores divided by it, above 0.
        threshold: evidence below it is answered with "none of these", in -1…1.
        false_reject_rate: share of validation photos that `threshold` refuses wrongly, in 0…1.
        ece_before, ece_after: expected calibration error without and with the temperature, in 0…1.
        split: the split all of this was measured on, for example "validation".
        n_photos: photos it was measured on.
        score_space: what gamma is subtracted from; this version knows "logits", the plain v·z.
        evidence: what `threshold` is compared with, one of `evidence.KINDS`.
        n_seen, n_unseen: photos of seen and of unseen validation classes among them.
        ece_seen_before, …, ece_unseen_after: the calibration error of either group alone.
        false_reject_seen, false_reject_unseen: shares of either group that `threshold` refuses wrongly.
        margins_seen, margins_unseen: (101,) percentiles of `conformal.margins` of either group.
        evidence_percentiles: (101,) percentiles of the evidence `threshold` is compared with, weighted as in its fit.
    """

    gamma: float
    temperature: float
    threshold: float
    false_reject_rate: float
    ece_before: float
    ece_after: float
    split: str
    n_photos: int
    score_space: str = "logits"
    evidence: EvidenceKind = "max_cosine"
    n_seen: int | None = None
    n_unseen: int | None = None
    ece_seen_before: float | None = None
    ece_seen_after: float | None = None
    ece_unseen_before: float | None = None
    ece_unseen_after: float | None = None
    false_reject_seen: float | None = None
    false_reject_unseen: float | None = None
    margins_seen: tuple[float, ...] | None = None
    margins_unseen: tuple[float, ...] | None = None
    evidence_percentiles: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for name, known in (("score_space", ("logits",)), ("evidence", KINDS)):
            if getattr(self, name) not in known:
                words = " or ".join(map(repr, known))
                raise CalibrationError(f"{name} {getattr(self, name)!r}; this version knows only {words}")
        ranges = (
            ("gamma", -math.inf, math.inf),
            ("temperature", 0.0, math.inf),
            ("threshold", -1.0, 1.0),
            ("false_reject_rate", 0.0, 1.0),
            ("ece_before", 0.0, 1.0),
            ("ece_after", 0.0, 1.0),
        )
        for name, low, high in ranges:
            value = getattr(self, name)
            if not math.isfinite(value) or not low <= value <= high:
                raise CalibrationError(f"{name} {value}; allowed is a finite number in {low:g}…{high:g}")
        if self.temperature == 0:
            raise CalibrationError("temperature 0; it divides the scores and must be above 0, such as 0.05")
        for name in _PERCENTILE_FIELDS:
            values = getattr(self, name)
            if values is not None and (len(values) != PERCENTILES or list(values) != sorted(values)):
                raise CalibrationError(f"{name}: {len(values)} numbers; {PERCENTILES} in ascending order are needed")

    def to_json(self) -> dict[str, Any]:
        """Plain data for a bundle's calibration.json; what is None is left out."""
        fields = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Calibration:
        """The inverse of `to_json`. Raises CalibrationError naming missing, unknown or non-numeric entries."""
        fields = dataclasses.fields(cls)
        names, optional = {field.name for field in fields}, {field.name for field in fields if field.default is None}
        if not names - optional <= set(data) <= names:
            missing, unknown = sorted(names - optional - set(data)), sorted(set(data) - names)
            raise CalibrationError(
                f"missing entries {missing}, unknown entries {unknown}; needed are {sorted(names - optional)}, "
                f"allowed too {sorted(optional)}"
            )
        return cls(**{name: _checked(name, value) for name, value in data.items()})


def _checked(name: str, value: Any) -> Any:
    """The value of an entry when it is of the right kind. Raises CalibrationError."""
    if name in _PERCENTILE_FIELDS:
        if not isinstance(value, list) or not all(_is_number(item) for item in value):
            raise CalibrationError(f"{name} {value!r}; a list of numbers is needed")
        return tuple(float(item) for item in value)
    is_text = name in ("split", "score_space", "evidence")
    if not (isinstance(value, str) if is_text else _is_number(value)):
        raise CalibrationError(f"{name} {value!r}; a {'text' if is_text else 'number'} is needed")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
