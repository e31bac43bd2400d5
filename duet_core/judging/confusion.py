"""Which classes are taken for one another, and whether it is siblings: species whose names end in the same word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from duet_core.classes import BoolArray
from duet_core.judging.held_out import HeldOut
from duet_core.judging.names import readable, siblings

DoubleArray = NDArray[np.float64]


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes, the one more often taken for the other first.

    Attributes:
        first, second: names as people read them.
        first_as_second: share of the photos of `first` that are answered with `second`, all classes competing.
        second_as_first: the other way round.
        cosine: of their class vectors z.
        siblings: whether their names end in the same word.
        first_seen, second_seen: whether they were trained with.
    """

    first: str
    second: str
    first_as_second: float
    second_as_first: float
    cosine: float
    siblings: bool
    first_seen: bool
    second_seen: bool

    @property
    def mutual(self) -> float:
        """Mean of both shares: what pairs are ranked by."""
        return (self.first_as_second + self.second_as_first) / 2


@dataclass(frozen=True, eq=False)
class Confusions:
    """Answers by true class, all classes competing. n classes in the order of `HeldOut.candidates`.

    Attributes:
        names: (n,) as people read them.
        share: (n, n) share of the photos of the row's class that are answered with the column's.
        counts: (n,) photos of each class.
        cosine: (n, n) of class vectors.
        are_siblings: (n, n).
        seen: (n,) whether a class was trained with.
    """

    names: tuple[str, ...]
    share: DoubleArray
    counts: NDArray[np.int64]
    cosine: DoubleArray
    are_siblings: BoolArray
    seen: BoolArray

    @property
    def errors(self) -> int:
        """Wrong answers."""
        return round(float((self.counts * (1 - np.diag(self.share))).sum()))

    @property
    def errors_to_siblings(self) -> float:
        """Share of the wrong answers that name a sibling of the true class; 0 when none is wrong."""
        wrong = self.counts[:, None] * self.share * ~np.eye(len(self.names), dtype=np.bool_)
        return float(wrong[self.are_siblings].sum() / wrong.sum()) if wrong.sum() > 0 else 0.0

    @property
    def siblings_by_chance(self) -> float:
        """What that share would be were the same wrong answers spread evenly over all other classes."""
        wrong = self.counts * (1 - np.diag(self.share))
        chance = self.are_siblings.sum(axis=1) / max(len(self.names) - 1, 1)
        return float((wrong * chance).sum() / wrong.sum()) if wrong.sum() > 0 else 0.0

    def pairs(self, count: int, *, siblings_only: bool = False) -> list[ConfusedPair]:
        """The pairs confused most, by the mean of both shares; none that never are."""
        mutual = (self.share + self.share.T) / 2
        rows, columns = np.triu_indices(len(self.names), k=1)
        keep = mutual[rows, columns] > 0
        if siblings_only:
            keep &= self.are_siblings[rows, columns]
        rows, columns = rows[keep], columns[keep]
        order = np.argsort(-mutual[rows, columns], kind="stable")[:count]
        return [self._pair(int(rows[one]), int(columns[one])) for one in order]

    def of_top_pairs(self, most: int) -> NDArray[np.int64]:
        """Rows of the classes of the pairs confused most, `most` at most, siblings beside one another."""
        chosen: dict[int, None] = {}
        place = {name: row for row, name in enumerate(self.names)}
        for pair in self.pairs(len(self.names)):
            new = {place[pair.first]: None, place[pair.second]: None}
            if len(chosen | new) > most:
                break
            chosen |= new
        return np.array(sorted(chosen, key=lambda row: self.names[row].split()[::-1]), dtype=np.int64)

    def _pair(self, one: int, other: int) -> ConfusedPair:
        first, second = (one, other) if self.share[one, other] >= self.share[other, one] else (other, one)
        return ConfusedPair(
            first=self.names[first],
            second=self.names[second],
            first_as_second=float(self.share[first, second]),
            second_as_first=float(self.share[second, first]),
            cosine=float(self.cosine[first, second]),
            siblings=bool(self.are_siblings[first, second]),
            first_seen=bool(self.seen[first]),
            second_seen=bool(self.seen[second]),
        )


def confusions(held_out: HeldOut) -> Confusions:
    """Answers by true class, all classes competing, γ off the seen ones."""
    candidates = held_out.candidates
    place = np.zeros(int(candidates.max()) + 1, dtype=np.int64)
    place[candidates] = np.arange(len(candidates))
    counts = np.zeros((len(candidates), len(candidates)))
    np.add.at(counts, (place[held_out.label], place[held_out.predicted]), 1)
    names = [held_out.benchmark.classes.names[row] for row in candidates]
    z = held_out.benchmark.classes.z[candidates].astype(np.float64)
    photos = counts.sum(axis=1)
    return Confusions(
        names=tuple(readable(name) for name in names),
        share=counts / photos[:, None],
        counts=photos.astype(np.int64),
        cosine=np.asarray(z @ z.T),
        are_siblings=siblings(names),
        seen=np.asarray(np.arange(len(candidates)) < len(held_out.split.seen_classes)),
    )
