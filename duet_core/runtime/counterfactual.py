"""What would change the answer: the fewest edits of a class's degrees, or of the photo's attributes, that let it win.

Letter key: A attributes. A class has degrees d in 0…1 and the class vector z = d/|d|, so its score v·d/|d| is not
linear in d: raising one degree lowers all other components of z. That is taken into account exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from duet_core.classes import FloatArray

DoubleArray = NDArray[np.float64]

TOLERANCE = 1e-6
"""Relative width of norms below which a search ends: what is missed lies within it of a tie."""


@dataclass(frozen=True)
class Edit:
    """One attribute changed: its row in the class vector, its value before and after."""

    row: int
    before: float
    after: float


def fewest_degree_edits(v: FloatArray, degrees: FloatArray, target: float) -> tuple[Edit, ...] | None:
    """The fewest degrees to change, each anywhere in 0…1, so that the class's score v·d/|d| exceeds `target`.

    The score passes the target when v·d > target·|d|. With target·|d| = min over r > 0 of target·(r + |d|²/r)/2 this
    holds for some d with k edits exactly when for some r the sum over attributes of v_i·d_i - target·d_i²/(2r), with
    the k most helpful attributes at their best degree clip(r·v_i/target, 0, 1), exceeds target·r/2. For given r that
    is a sort; r, the norm of the edited degrees, is searched by bisection with bounds, so no smaller k is overlooked.

    Args:
        v: (A,) predicted attributes.
        degrees: (A,) of the class, 0…1.
        target: the score to pass, above 0.

    Returns the edits, the most helpful first; () when the score passes already; None when no edits suffice.
    Raises ValueError for a target of 0 or below, where normalisation works the other way round.
    """
    if not target > 0:
        raise ValueError(f"target {target}; it must be above 0: of classes that all fit badly none is explained")
    photo, before = np.asarray(v, dtype=np.float64), np.asarray(degrees, dtype=np.float64)
    goal = target * (1 + 1e-9) + 1e-12  # past the target, not on it
    if photo @ before > goal * np.linalg.norm(before):
        return ()
    low, high = 1, len(photo)
    norm = _norm_that_wins(photo, before, goal, high)
    if norm is None:
        return None
    while low < high:  # with more edits allowed nothing is lost, so the fewest are found by halving
        middle = (low + high) // 2
        found = _norm_that_wins(photo, before, goal, middle)
        if found is None:
            low = middle + 1
        else:
            high, norm = middle, found
    gain, best = _gains(photo, before, goal, norm)
    rows = np.argsort(-gain, kind="stable")[:high]
    return tuple(Edit(int(row), float(before[row]), float(best[row])) for row in rows)


def _gains(v: DoubleArray, before: DoubleArray, target: float, norm: float) -> tuple[DoubleArray, DoubleArray]:
    """(A,) what setting a degree to its best value for this norm gains, and that value."""
    best = np.clip(v * norm / target, 0.0, 1.0)

    def worth(degree: DoubleArray) -> DoubleArray:
        return np.asarray(v * degree - target * degree**2 / (2 * norm))

    return worth(best) - worth(before), best


def _value(v: DoubleArray, before: DoubleArray, target: float, norm: float, count: int) -> float:
    """The largest v·d - target·|d|²/(2·norm) with `count` edits; never falls as the norm grows."""
    gain, _ = _gains(v, before, target, norm)
    helpful = np.partition(gain, len(gain) - count)[len(gain) - count :]
    return float(v @ before - target * (before @ before) / (2 * norm) + helpful.sum())


def _norm_that_wins(v: DoubleArray, before: DoubleArray, target: float, count: int) -> float | None:
    """A norm r at which `count` edits pass the target, or None when there is none.

    Over an interval of norms the value is at most that at its upper end, and what it must exceed at least that at its
    lower end; intervals where even that does not suffice are dropped, the others halved.
    """
    open_ = [(TOLERANCE, float(np.sqrt(len(v))))]
    while open_:
        low, high = open_.pop()
        value = _value(v, before, target, high, count)
        if value > target * high / 2:
            return high
        if value <= target * low / 2 or high - low < TOLERANCE * high:
            continue
        middle = (low + high) / 2
        open_ += [(low, middle), (middle, high)]
    return None


def fewest_photo_edits(v: FloatArray, away: FloatArray, needed: float, most: FloatArray) -> tuple[Edit, ...] | None:
    """The fewest attributes the photo would have to show differently for a linear score difference to grow enough.

    Each may move anywhere between 0 and `most` (or stay). Attributes do not interact, so taking the largest gains
    first is exact.

    Args:
        v: (A,) predicted attributes.
        away: (A,) z of the class that should win, less z of the one that does.
        needed: how much (v' - v)·away must exceed; 0 or more.
        most: (A,) upper bounds, 0 or more.

    Returns the edits, the largest gain first; None when all together do not suffice.
    """
    photo, slope = np.asarray(v, dtype=np.float64), np.asarray(away, dtype=np.float64)
    goal = np.where(slope > 0, np.maximum(most, photo), np.minimum(0.0, photo))
    gain = (goal - photo) * slope
    order = np.argsort(-gain, kind="stable")
    enough = np.flatnonzero(np.cumsum(gain[order]) > needed + 1e-9)
    if not len(enough):
        return None
    rows = order[: int(enough[0]) + 1]
    return tuple(Edit(int(row), float(photo[row]), float(goal[row])) for row in rows)
