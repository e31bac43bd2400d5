"""The numbers that turn scores into answers: gamma, temperature and rejection threshold of a bundle."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any


class CalibrationError(ValueError):
    """A calibration that cannot be used as it stands."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was fitted on validation classes, and how well.

    Attributes:
        gamma: subtracted from the score v·z of every seen class (Eq. 22); finite.
        temperature: probabilities are the softmax of calibrated scores divided by it, above 0.
        threshold: evidence below it is answered with "none of these", in -1…1.
        false_reject_rate: share of validation photos that `threshold` refuses wrongly, in 0…1.
        ece_before, ece_after: expected calibration error without and with the temperature, in 0…1.
        split: the split all of this was measured on, for example "validation".
        n_photos: photos it was measured on.
        score_space: what gamma is subtracted from; this version knows "logits", the plain v·z.
        evidence: what `threshold` is compared with; this version knows "max_cosine" of v and z over the candidates.
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
    evidence: str = "max_cosine"

    def __post_init__(self) -> None:
        for name, known in (("score_space", "logits"), ("evidence", "max_cosine")):
            if getattr(self, name) != known:
                raise CalibrationError(f"{name} {getattr(self, name)!r}; this version knows only {known!r}")
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

    def to_json(self) -> dict[str, Any]:
        """Plain data for a bundle's calibration.json."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Calibration:
        """The inverse of `to_json`. Raises CalibrationError naming missing, unknown or non-numeric entries."""
        names = {field.name for field in dataclasses.fields(cls)}
        if set(data) != names:
            missing, unknown = sorted(names - set(data)), sorted(set(data) - names)
            raise CalibrationError(f"missing entries {missing}, unknown entries {unknown}; exactly {sorted(names)}")
        texts = {"split", "score_space", "evidence"}
        for name in sorted(names):
            if isinstance(data[name], bool) or not isinstance(data[name], str if name in texts else (int, float)):
                raise CalibrationError(f"{name} {data[name]!r}; a {'text' if name in texts else 'number'} is needed")
        return cls(**data)
