"""Whether two rows differ: a paired t-test over the seeds they share, and Holm's correction over several rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Difference:
    """How far a row lies above another, over n paired seeds.

    Attributes:
        mean: of the n differences.
        deviation: of the differences, with n − 1; None for fewer than two.
        p: of the two-sided paired t-test; None where it is not defined: fewer than two pairs, or all alike.
    """

    mean: float
    deviation: float | None
    p: float | None


def paired(values: Sequence[float], base: Sequence[float]) -> Difference:
    """The difference of two rows of equal length, of which entry i belongs to the same seed. scipy is loaded here."""
    differences = [one - other for one, other in zip(values, base, strict=True)]
    if len(differences) < 2:
        return Difference(fmean(differences), None, None)
    deviation = stdev(differences)
    if deviation == 0:
        return Difference(fmean(differences), 0.0, None)
    from scipy import stats

    return Difference(fmean(differences), deviation, float(stats.ttest_rel(values, base).pvalue))


def holm(p: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for their number (Holm's step-down); None stays None and is not counted."""
    tests = sorted((value, place) for place, value in enumerate(p) if value is not None)
    corrected: list[float | None] = [None] * len(p)
    largest = 0.0
    for rank, (value, place) in enumerate(tests):
        largest = max(largest, min(1.0, value * (len(tests) - rank)))
        corrected[place] = largest
    return corrected
