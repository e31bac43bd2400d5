"""Sets of classes that hold the right one with a stated probability: split conformal prediction, Mondrian by seen.

A class's margin is how far its calibrated score lies below the best one. The set of a photo is every class whose margin
is at most that which the wanted share of labelled photos did not exceed. Margins need no temperature and leave no set
empty. Letter key: N labelled photos, A attributes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from duet_core.classes import BoolArray, FloatArray, IntArray
from duet_core.runtime.scoring import Candidates, ClassSet, Scores

DoubleArray = NDArray[np.float64]
_CHUNK = 64


class CoverageError(ValueError):
    """A coverage that these labelled photos cannot promise; the message says how many are needed."""


def photos_needed(coverage: float) -> int:
    """The fewest labelled photos with which a set other than "all classes" can hold the right one this often."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def margins(
    v: FloatArray, rows: IntArray, class_set: ClassSet, *, gamma: float, candidates: Candidates = "all"
) -> DoubleArray:
    """(N,) margins of the right classes: best calibrated score less that of the photo's own class.

    Args:
        v: (N, A) predicted attributes of labelled photos.
        rows: (N,) rows of their classes in `class_set`, all among the candidates.
        gamma: as in `rank`; margins for another γ are other margins.
    """
    chosen = class_set.rows(candidates)
    z = class_set.z if len(chosen) == len(class_set) else class_set.z[chosen]
    handicap = gamma * class_set.seen[chosen] if candidates == "all" else np.zeros(len(chosen))
    own = np.searchsorted(chosen, rows)
    found = np.empty(len(rows))
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        scores = (np.asarray(v[part], dtype=np.float32) @ z.T).astype(np.float64) - handicap
        found[part] = scores.max(axis=1) - scores[np.arange(len(scores)), own[part]]
    return found


def order_statistic(values: DoubleArray, coverage: float) -> float | None:
    """The margin that a further photo exceeds with probability 1 - coverage at most; None with too few photos."""
    place = math.ceil((len(values) + 1) * coverage - 1e-9)
    return float(np.sort(values)[place - 1]) if 1 <= place <= len(values) else None


@dataclass(frozen=True)
class Bounds:
    """The largest margin a class may have to be in the set.

    Attributes:
        seen, unseen: for classes of either group.
        pooled: groups whose own labelled photos were too few, so that all labelled photos decided together: then the
            coverage holds over all photos, not within the group.
    """

    seen: float
    unseen: float
    pooled: tuple[str, ...] = ()


def bounds(found: DoubleArray, seen: BoolArray, coverage: float, groups: Sequence[str] = ("seen", "unseen")) -> Bounds:
    """Bounds from the margins (N,) of labelled photos whose classes are `seen` (N,) or not.

    Args:
        groups: the groups that have candidates.

    Raises CoverageError when even all labelled photos together are too few.
    """
    if not 0 < coverage < 1:
        raise CoverageError(f"coverage {coverage}; allowed is more than 0 and less than 1, such as 0.9")
    own = {
        "seen": order_statistic(found[seen], coverage),
        "unseen": order_statistic(found[~seen], coverage),
    }
    together = order_statistic(found, coverage)
    if together is None:
        raise CoverageError(
            f"{len(found)} labelled photos; a coverage of {coverage:g} needs at least {photos_needed(coverage)}"
        )
    pooled = tuple(group for group in groups if own[group] is None)
    limits = {group: together if value is None else value for group, value in own.items()}
    return Bounds(seen=limits["seen"], unseen=limits["unseen"], pooled=pooled)


def prediction_set(scores: Scores, class_set: ClassSet, limits: Bounds) -> IntArray:
    """Rows of the classes in the set, best first; never empty, the best class has margin 0."""
    behind = scores.calibrated.max() - scores.calibrated
    limit = np.where(class_set.seen[scores.rows], limits.seen, limits.unseen)
    kept = np.flatnonzero((behind <= limit) | (behind == 0))
    return np.asarray(scores.rows[kept[np.argsort(behind[kept], kind="stable")]])


def percentile_bounds(seen: Sequence[float], unseen: Sequence[float], coverage: float) -> Bounds:
    """Bounds from percentiles 0, 1, …, 100 of margins, as a bundle keeps them of its validation photos."""

    def at(percentiles: Sequence[float]) -> float:
        return float(np.interp(100 * coverage, np.arange(len(percentiles)), percentiles))

    return Bounds(seen=at(seen), unseen=at(unseen))
