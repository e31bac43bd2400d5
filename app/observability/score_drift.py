"""How far the evidence of recent photos is from that of the photos the model was calibrated on."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque

from duet_core.runtime.calibration import PERCENTILES, Calibration

WINDOW = 1_000
"""Answers looked back on."""
ENOUGH = 200
"""Below as many answers the index is noise: with none but chance at work, 10 bins and 200 answers it is about 0.05."""
_TENTHS = range(10, PERCENTILES - 1, 10)


class ScoreDrift:
    """The last answers' evidence, counted in bins of the calibration's; O(1) an answer, the index when it is asked for.

    The population stability index is Σ (p - q)·ln(p / q) over the bins, with p the share of recent photos and q that of
    the calibration's photos: 0 when they are alike; by custom 0.1 is worth a look and above 0.25 it is another
    population. The bins are the tenths of the calibration's evidence; for a bundle that does not hold its percentiles,
    two: below and above the threshold.
    """

    def __init__(self, calibration: Calibration, window: int = WINDOW) -> None:
        self._threshold = calibration.threshold
        self._edges, self._expected = _bins(calibration)
        self._counts = [0] * len(self._expected)
        self._recent: deque[tuple[int, bool]] = deque()
        self._window = window
        self._rejected = 0

    def observe(self, evidence: float) -> None:
        """Count an answer; `evidence` is its best candidate's, -1…1."""
        if len(self._recent) == self._window:
            oldest, was_rejected = self._recent.popleft()
            self._counts[oldest] -= 1
            self._rejected -= was_rejected
        newest, is_rejected = bisect_right(self._edges, evidence), evidence < self._threshold
        self._recent.append((newest, is_rejected))
        self._counts[newest] += 1
        self._rejected += is_rejected

    @property
    def reject_rate(self) -> float:
        """Share of recent answers that were "none of these", 0…1; NaN before the first."""
        return self._rejected / len(self._recent) if self._recent else math.nan

    @property
    def index(self) -> float:
        """The population stability index, from 0; NaN before there are ENOUGH answers."""
        total = len(self._recent)
        if total < ENOUGH:
            return math.nan
        bins = len(self._counts)  # half a photo more in each bin: an empty one is not infinitely strange
        shares = [(count + 0.5) / (total + 0.5 * bins) for count in self._counts]
        return sum((p - q) * math.log(p / q) for p, q in zip(shares, self._expected, strict=True))


def _bins(calibration: Calibration) -> tuple[list[float], list[float]]:
    """Inner edges in ascending order, and the share of the calibration's photos between them, none of which is 0."""
    percentiles = calibration.evidence_percentiles
    if percentiles is None:
        refused = min(max(calibration.false_reject_rate, 0.01), 0.99)
        return [calibration.threshold], [refused, 1 - refused]
    edges = sorted({percentiles[tenth] for tenth in _TENTHS} - {percentiles[0]})
    below = [sum(value < edge for value in percentiles) / PERCENTILES for edge in edges]
    return edges, [high - low for low, high in zip([0.0, *below], [*below, 1.0], strict=True)]
