"""Which degrees of a class to change so that it wins, in any metric of class vectors.

In Euclid's metric `counterfactual.fewest_degree_edits` finds the fewest. In a metric of the model's own attributes
interact, and the fewest can only be found by trying all sets; here a greedy search finds few, at most `MOST_EDITS`,
none of which can be left out. Letter key: A attributes, r rank of the metric.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from duet_core.classes import FloatArray
from duet_core.runtime.counterfactual import Edit, fewest_degree_edits
from duet_core.runtime.metric import Metric

DoubleArray = NDArray[np.float64]

_STILL = 1e-6
_NOTHING = 1e-18
_LEAST = 1e-3
"""Share of the target that a score below it is taken for: for one of 0 or below the function is not concave."""
MOST_EDITS = 40
"""Edits after which the search ends: a class that takes more is another class, and none of this may last."""
_SWEEPS = 30
_FEW_SWEEPS = 4
"""Rounds in which the degrees changed so far are set to their best values in turn."""


def degree_edits(v: FloatArray, degrees: FloatArray, target: float, metric: Metric) -> tuple[Edit, ...] | None:
    """Degrees to change, each anywhere in 0…1, so that the class's score v·d/|d| in the metric exceeds `target`.

    Args:
        v: (A,) predicted attributes.
        degrees: (A,) of the class, 0…1.
        target: the score to pass, above 0.
        metric: of the class vectors.

    Returns the fewest edits in Euclid's metric, few in another; () when the score passes already, None when none are
    found. Raises ValueError for a target of 0 or below.
    """
    if metric.factor is None:
        return fewest_degree_edits(v, degrees, target)
    if not target > 0:
        raise ValueError(f"target {target}; it must be above 0: of classes that all fit badly none is explained")
    search = _Search(np.asarray(v, dtype=np.float64), np.asarray(degrees, dtype=np.float64), target, metric)
    found = search.widen()
    if found is None:
        return None
    edited = search.narrow(*found)
    changed = np.flatnonzero(edited != search.before)
    gains = np.abs(search.photo[changed] * (edited - search.before)[changed])
    return tuple(
        Edit(int(row), float(search.before[row]), float(edited[row]))
        for row in changed[np.argsort(-gains, kind="stable")]
    )


class _Search:
    """Raises the score v·d/|d|_G by changing few degrees.

    With t the score now, v·d - t·|d|_G is 0 and concave in d: where it can be made positive, the score passes t
    (Dinkelbach). So each degree is set to its best for the score reached so far.
    """

    def __init__(self, photo: DoubleArray, before: DoubleArray, target: float, metric: Metric) -> None:
        self.photo, self.before, self._metric = photo, before, metric
        assert metric.factor is not None
        factor = metric.factor.astype(np.float64)  # (r, A)
        self._goal = target * (1 + 1e-6) + 1e-9  # past the target, not on it, whatever is rounded later
        self._gram = factor.T @ factor  # (A, A) G

    def score(self, degrees: DoubleArray) -> float:
        """v·d/|d| of degrees d (A,) in the metric; 0 for degrees without a length."""
        length = float(self._metric.lengths(degrees[None])[0])
        return float(self.photo @ degrees) / length if length > 0 else 0.0

    def passes(self, degrees: DoubleArray) -> bool:
        """Whether these degrees (A,) score above the target."""
        return self.score(degrees) > self._goal

    def _line(self, degrees: DoubleArray, rows: NDArray[np.int64]) -> tuple[DoubleArray, DoubleArray]:
        """The best degree of each of `rows` (n,) while all others stay, and the score that is reached with it.

        With degree x of row i, |d|² is own·(y² + rest) for y = x + linear / own, and v_i = t·own·y / |d| at the best x.
        """
        reached = max(min(self.score(degrees), self._goal), _LEAST * self._goal)
        along, now = self._gram[rows] @ degrees, degrees[rows]  # (n,)
        own = np.maximum(self._gram[rows, rows], _NOTHING)
        shift = along / own - now  # linear / own
        rest = np.maximum(float(degrees @ self._gram @ degrees) / own - (now + shift) ** 2, 0.0)
        slope = self.photo[rows] / (reached * np.sqrt(own))
        steep = np.abs(slope) >= 1  # no length makes up for what is gained: the farther the better
        square = rest * slope**2 / np.where(steep, 1.0, 1 - slope**2)
        best = np.clip(np.where(steep, slope > 0, np.sign(slope) * np.sqrt(square) - shift), 0.0, 1.0)
        length = np.sqrt(np.maximum(own * ((best + shift) ** 2 + rest), _NOTHING))
        return best, (float(self.photo @ degrees) + self.photo[rows] * (best - now)) / length

    def best(self, rows: list[int], start: DoubleArray | None = None, sweeps: int = _SWEEPS) -> DoubleArray:
        """(A,) degrees with those of `rows` at their best, in turn until the class wins or nothing moves."""
        degrees = (self.before if start is None else start).copy()
        for _ in range(sweeps):
            last = degrees.copy()
            for row in rows:
                degrees[row] = self._line(degrees, np.array([row]))[0][0]
            if self.passes(degrees) or np.abs(degrees - last).max() < _STILL:
                break
        return degrees

    def widen(self) -> tuple[list[int], DoubleArray] | None:
        """Rows and all degrees: one row more at a time, the most helpful beside the others, until the class wins."""
        rows: list[int] = []
        degrees = self.before
        while not self.passes(degrees):
            others = np.setdiff1d(np.arange(len(self.before)), rows)
            if not len(others) or len(rows) == MOST_EDITS:
                return None
            rows.append(int(others[self._line(degrees, others)[1].argmax()]))
            degrees = self.best(rows, start=degrees, sweeps=_FEW_SWEEPS)
        return rows, degrees

    def narrow(self, rows: list[int], degrees: DoubleArray) -> DoubleArray:
        """The degrees with as they were those rows that are not needed, the least helpful tried first."""
        for row in reversed(rows):
            fewer, without = [other for other in rows if other != row], degrees.copy()
            without[row] = self.before[row]
            found = self.best(fewer, start=without, sweeps=_FEW_SWEEPS)
            if self.passes(found):
                rows, degrees = fewer, found
        return degrees
