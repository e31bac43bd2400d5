"""Mean and standard deviation over seeds, as numbers and as tables show them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n − 1); the deviation of a single value is told as 0."""
    return fmean(values), stdev(values) if len(values) > 1 else 0.0


def mean_and_deviation(values: Sequence[float]) -> str:
    """Such as "58.1 ± 1.6"; of a single value only itself."""
    mean, deviation = spread(values)
    return f"{mean:.1f}" if len(values) == 1 else f"{mean:.1f} ± {deviation:.1f}"
