"""How often attributes occur in classes, and together (Eqs. 27, 28). numpy alone. C classes, A attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duet_core.attributes import AttributeSchema
from duet_core.classes import BoolArray, IntArray

DoubleArray = NDArray[np.float64]

LEAST_CLASSES = 10
"""Pairs are ranked only when either attribute is in this many classes: below it, a ratio is an accident."""


class StatisticsError(ValueError):
    """A matrix or an attribute of which no statistics can be told."""


def frequency(present: BoolArray) -> DoubleArray:
    """(A,) Freq(a) = |{c : a in A_c}| / |C|, in 0…1 (Eq. 27), from present (C, A)."""
    return np.asarray(_checked(present).mean(axis=0, dtype=np.float64))


def together(present: BoolArray) -> IntArray:
    """(A, A) number of classes that have both attributes; on the diagonal, those that have the one."""
    counts = _checked(present).astype(np.int64)
    return np.asarray(counts.T @ counts)


def co_occurrence_ratio(present: BoolArray) -> DoubleArray:
    """(A, A) R(a_i ← a_j) = classes with both / classes with a_j alone (Eq. 28), row i and column j.

    Infinite where a_j never comes without a_i; not a number where no class has a_j, and on the diagonal.
    """
    both = together(present)
    alone = np.diag(both)[None, :] - both  # (A, A): [i, j] classes with a_j without a_i
    ratio = np.full(both.shape, np.nan)
    np.divide(both, alone, out=ratio, where=alone > 0)
    ratio[(alone == 0) & (both > 0)] = np.inf
    np.fill_diagonal(ratio, np.nan)
    return ratio


@dataclass(frozen=True)
class Pair:
    """R(first ← given): how much more often classes with `given` have `first` too than not.

    Attributes:
        first, given: keys of a_i and a_j.
        together, alone: classes that have both; that have `given` without `first`.
        ratio: Eq. 28; infinite when `alone` is 0.
        lift: share with `first` among classes with `given`, over its share among all: 1 when the two are independent.
    """

    first: str
    given: str
    together: int
    alone: int
    ratio: float
    lift: float

    @property
    def ratio_text(self) -> str:
        """The ratio in three digits; ∞ when the given attribute never comes alone."""
        return f"{self.ratio:.3g}" if np.isfinite(self.ratio) else "∞"

    def to_json(self) -> dict[str, Any]:
        """Plain data; null for an infinite ratio, which JSON lacks."""
        return self.__dict__ | {"ratio": self.ratio if np.isfinite(self.ratio) else None}


@dataclass(frozen=True)
class PromptStatistics:
    """One prompt set: how many of its attributes a class has on average, and how unevenly they occur."""

    prompt: str
    attributes: int
    mean_present: float
    classes_without: float
    rarest: str
    rarest_frequency: float
    commonest: str
    commonest_frequency: float


@dataclass(frozen=True)
class AttributeStatistics:
    """All of it for one benchmark: `present` (C, A) says which attributes each class has, `schema` names them."""

    present: BoolArray
    schema: AttributeSchema

    def __post_init__(self) -> None:
        if _checked(self.present).shape[1] != len(self.schema):
            raise StatisticsError(f"present {self.present.shape}; {len(self.schema)} columns are needed, one a name")

    @cached_property
    def counts(self) -> IntArray:
        """(A,) classes that have each attribute."""
        return np.asarray(self.present.sum(axis=0, dtype=np.int64))

    @cached_property
    def frequency(self) -> DoubleArray:
        """(A,) Eq. 27."""
        return frequency(self.present)

    @cached_property
    def together(self) -> IntArray:
        """(A, A) classes with both attributes."""
        return together(self.present)

    @cached_property
    def ratio(self) -> DoubleArray:
        """(A, A) Eq. 28."""
        return co_occurrence_ratio(self.present)

    def pair(self, first: str | int, given: str | int) -> Pair:
        """R(first ← given) of two attributes, by row, by key or by a name that only one attribute has."""
        i, j = (self.row(one) if isinstance(one, str) else one for one in (first, given))
        if i == j or not self.counts[j]:
            why = "both are the same" if i == j else "no class has the second"
            raise StatisticsError(f"{self.schema.keys[i]!r} ← {self.schema.keys[j]!r}: {why}; give another pair")
        both, held = int(self.together[i, j]), int(self.counts[j])
        lift = both / held / float(self.frequency[i]) if self.counts[i] else 0.0
        return Pair(self.schema.keys[i], self.schema.keys[j], both, held - both, float(self.ratio[i, j]), lift)

    def row(self, name: str) -> int:
        """Row of a key such as "wing color: blue", or of a name that only one prompt set has."""
        found = self.schema.find(name)
        if found is not None:
            return found
        rows = [row for row, one in enumerate(self.schema.attributes) if one.name.lower() == name.strip().lower()]
        if len(rows) == 1:
            return rows[0]
        choice = [self.schema.keys[row] for row in rows[:3]] or self.schema.nearest(name)
        what = f"{len(rows)} attributes have this name" if rows else "no attribute is called so"
        raise StatisticsError(f"got {name!r}: {what}; allowed are keys such as {', '.join(map(repr, choice))}")

    def extremes(self, count: int) -> tuple[list[int], list[int]]:
        """Rows of the most and of the least frequent attributes, the most extreme first."""
        order = np.argsort(-self.counts, kind="stable").tolist()
        return order[:count], order[::-1][:count]

    def highest_pairs(self, count: int, least: int = LEAST_CLASSES) -> list[Pair]:
        """The pairs with the highest ratio; of equal ones, infinite ones above all, those with most classes first."""
        rows, columns = self._ranked(least)
        order = np.lexsort((-self.together[rows, columns], -self.ratio[rows, columns]))[:count]
        return [self.pair(int(rows[one]), int(columns[one])) for one in order]

    def lowest_pairs(self, count: int, least: int = LEAST_CLASSES) -> list[Pair]:
        """The pairs with the lowest ratio; of equal ones those first that would most often meet by chance."""
        rows, columns = self._ranked(least)
        first_of_two = (self.counts[columns] > self.counts[rows]) | (
            (self.counts[columns] == self.counts[rows]) & (columns > rows)
        )
        keep = (self.together[rows, columns] > 0) | first_of_two  # two that never meet are one pair, not two
        rows, columns = rows[keep], columns[keep]
        by_chance = self.counts[rows] * self.counts[columns]
        order = np.lexsort((-by_chance, self.ratio[rows, columns]))[:count]
        return [self.pair(int(rows[one]), int(columns[one])) for one in order]

    def closest_pairs(self, count: int, least: int = LEAST_CLASSES) -> list[Pair]:
        """The pairs that come together far more often than their frequencies explain: by lift, either pair once.

        The highest ratios are those of attributes that nearly every class has; these are the ones that say more.
        """
        rows, columns = self._ranked(least)
        keep = self.counts[columns] <= self.counts[rows]  # the direction of the higher ratio
        keep &= (self.counts[columns] < self.counts[rows]) | (columns > rows)
        rows, columns = rows[keep], columns[keep]
        lift = self.together[rows, columns] / (self.counts[rows] * self.counts[columns])
        order = np.lexsort((-self.together[rows, columns], -lift))[:count]
        return [self.pair(int(rows[one]), int(columns[one])) for one in order]

    def prompts(self) -> list[PromptStatistics]:
        """The prompt sets in schema order."""
        found = []
        for prompt, members in zip(self.schema.prompts, self.schema.prompt_sets, strict=True):
            rows = list(members)
            held = self.present[:, rows].sum(axis=1)
            low, high = rows[int(self.counts[rows].argmin())], rows[int(self.counts[rows].argmax())]
            found.append(
                PromptStatistics(
                    prompt=prompt,
                    attributes=len(rows),
                    mean_present=float(held.mean()),
                    classes_without=float((held == 0).mean()),
                    rarest=self.schema.attributes[low].name,
                    rarest_frequency=float(self.frequency[low]),
                    commonest=self.schema.attributes[high].name,
                    commonest_frequency=float(self.frequency[high]),
                )
            )
        return found

    def to_json(self, pairs: Sequence[Pair] = (), count: int = 20, least: int = LEAST_CLASSES) -> dict[str, Any]:
        """Plain data: every frequency, the prompt sets, the extreme pairs, and `pairs`."""
        return {
            "classes": len(self.present),
            "counts": dict(zip(self.schema.keys, self.counts.tolist(), strict=True)),
            "frequency": dict(zip(self.schema.keys, self.frequency.tolist(), strict=True)),
            "prompts": [one.__dict__ for one in self.prompts()],
            "highest_pairs": [pair.to_json() for pair in self.highest_pairs(count, least)],
            "closest_pairs": [pair.to_json() for pair in self.closest_pairs(count, least)],
            "lowest_pairs": [pair.to_json() for pair in self.lowest_pairs(count, least)],
            "pairs": [pair.to_json() for pair in pairs],
        }

    def _ranked(self, least: int) -> tuple[IntArray, IntArray]:
        enough = self.counts >= least
        rows, columns = np.nonzero(enough[:, None] & enough[None, :] & ~np.eye(len(enough), dtype=np.bool_))
        return rows, columns


def _checked(present: BoolArray) -> BoolArray:
    if present.ndim != 2 or not present.size or present.dtype != np.bool_:
        raise StatisticsError(
            f"present {present.dtype} {present.shape}; True and False of C > 0 classes and A > 0 needed"
        )
    return present
