"""The classes that compete for a photo: immutable blocks, shared between one class set and the next."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from duet_core.classes import BoolArray, FloatArray, IntArray
from duet_core.runtime.metric import EUCLIDEAN, Metric

Candidates = Literal["all", "seen", "unseen"]
Scalar = TypeVar("Scalar", bound=np.generic)


class RankingError(ValueError):
    """A question that the class set cannot answer; the message says what to ask instead."""


@dataclass(frozen=True, kw_only=True)
class ClassBlock:
    """n classes that lie together; immutable. See ClassSet for the attributes.

    Attributes:
        metric: in which each row of z has length 1.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    seen: BoolArray
    z: FloatArray
    metric: Metric = EUCLIDEAN

    def __post_init__(self) -> None:
        count = len(self.ids)
        if len(self.labels) != count or self.seen.shape != (count,) or self.z.ndim != 2 or len(self.z) != count:
            raise ValueError(
                f"{count} ids, {len(self.labels)} labels, seen {self.seen.shape}, z {self.z.shape}; "
                "expected C, C, (C,) and (C, A)"
            )
        if len(self.row_of_id) != count:
            raise ValueError("class ids repeat; each class needs its own id")
        norms = self.metric.lengths(self.z)
        if not np.all(np.abs(norms - 1) < 1e-3):  # NaN fails too
            row = int(np.argmax(~(np.abs(norms - 1) < 1e-3)))
            raise ValueError(f"class {self.ids[row]!r}: z has norm {norms[row]}; class vectors have unit norm")
        for name, array, kind in (("seen", self.seen, np.bool_), ("z", self.z, np.float32)):
            frozen = array if array.dtype == kind and not array.flags.writeable else np.array(array, dtype=kind)
            frozen.setflags(write=False)
            object.__setattr__(self, name, frozen)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def row_of_id(self) -> dict[str, int]:
        """Where each class lies in this block."""
        return {class_id: row for row, class_id in enumerate(self.ids)}

    @cached_property
    def euclidean_lengths(self) -> FloatArray:
        """(n,) |z| in Euclid's metric."""
        return EUCLIDEAN.lengths(self.z)

    def along(self, direction: FloatArray) -> FloatArray:
        """(n,) z·direction; kept for the direction asked last, which is one and the same for every photo."""
        kept: tuple[FloatArray, FloatArray] | None = self.__dict__.get("_along")
        if kept is None or kept[0] is not direction:
            kept = (direction, np.asarray(self.z @ direction, dtype=np.float32))
            self.__dict__["_along"] = kept  # derived, so the block is as immutable as before
        return kept[1]


@dataclass(frozen=True, eq=False)
class BlockView:
    """A block as one class set shows it: all of its rows, or those that `live` (n,) marks."""

    block: ClassBlock
    live: BoolArray | None = None

    def __len__(self) -> int:
        return len(self.block) if self.live is None else len(self.live_rows)

    @cached_property
    def live_rows(self) -> IntArray:
        """Rows of the block that are shown, ascending."""
        return np.arange(len(self.block)) if self.live is None else np.flatnonzero(self.live)

    def find(self, class_id: str) -> int | None:
        """Row in the block of a class that is shown, or None."""
        row = self.block.row_of_id.get(class_id)
        return row if row is not None and (self.live is None or self.live[row]) else None

    def shown(self, values: Sequence[str]) -> Iterable[str]:
        """Those of one value for each row of the block whose row is shown."""
        return values if self.live is None else (values[int(row)] for row in self.live_rows)


class ClassSet:
    """C classes ready to be scored; immutable, so that an answer never mixes two revisions.

    Rows count the classes shown, block after block. Blocks are shared with other class sets: a change of a few classes
    among many costs what those few cost.

    Attributes:
        ids: (C,) identifiers, unique, for example "painted-bunting".
        labels: (C,) names for people.
        seen: (C,) True where the model was trained on photos of the class.
        z: (C, A) class vectors, of unit length in `metric`; a copy when there are several blocks, for which see
            `scores` and `vector`.
    """

    def __init__(
        self,
        *,
        ids: tuple[str, ...],
        labels: tuple[str, ...],
        seen: BoolArray,
        z: FloatArray,
        metric: Metric = EUCLIDEAN,
    ) -> None:
        self._place((BlockView(ClassBlock(ids=ids, labels=labels, seen=seen, z=z, metric=metric)),))

    @classmethod
    def of(cls, views: Iterable[BlockView]) -> ClassSet:
        """The classes of several blocks, at least one; no two of the classes shown may have the same id."""
        made = cls.__new__(cls)
        made._place(tuple(views))
        return made

    def _place(self, views: tuple[BlockView, ...]) -> None:
        self.views = views
        self._ends = list(accumulate(len(view) for view in views))

    def __len__(self) -> int:
        return self._ends[-1]

    @property
    def metric(self) -> Metric:
        """The metric of the class vectors; the blocks of a set share one."""
        return self.views[0].block.metric

    @property
    def width(self) -> int:
        """A, the number of attributes."""
        return int(self.views[0].block.z.shape[1])

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """See above."""
        return tuple(class_id for view in self.views for class_id in view.shown(view.block.ids))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """See above."""
        return tuple(label for view in self.views for label in view.shown(view.block.labels))

    @cached_property
    def seen(self) -> BoolArray:
        """See above."""
        return _frozen(np.concatenate([view.block.seen[view.live_rows] for view in self.views]))

    @property
    def z(self) -> FloatArray:
        """See above."""
        if len(self.views) == 1 and self.views[0].live is None:
            return self.views[0].block.z
        return _frozen(np.concatenate([view.block.z[view.live_rows] for view in self.views]))

    def row(self, class_id: str) -> int | None:
        """Row of a class, or None."""
        for view, start in zip(self.views, self._starts(), strict=True):
            found = view.find(class_id)
            if found is not None:
                return start + (found if view.live is None else int(np.searchsorted(view.live_rows, found)))
        return None

    def class_id(self, row: int) -> str:
        """Id of the class in this row."""
        view, inside = self._at(row)
        return view.block.ids[inside]

    def label(self, row: int) -> str:
        """Label of the class in this row."""
        view, inside = self._at(row)
        return view.block.labels[inside]

    def vector(self, row: int) -> FloatArray:
        """z (A,) of the class in this row; no copy."""
        view, inside = self._at(row)
        vector: FloatArray = view.block.z[inside]
        return vector

    def scores(self, v: FloatArray) -> FloatArray:
        """(C,) v·z of all classes for v (A,), float32; no class vector is copied."""
        parts = [view.block.z @ v if view.live is None else (view.block.z @ v)[view.live_rows] for view in self.views]
        return np.concatenate(parts)

    def cosines(self, degrees: FloatArray) -> FloatArray:
        """(C,) Euclid's cosine of the class vectors and of degrees (A,): how alike the descriptions are."""
        lengths = [view.block.euclidean_lengths[view.live_rows] for view in self.views]
        return np.divide(self.scores(EUCLIDEAN.unit(degrees[None])[0]), np.concatenate(lengths), dtype=np.float32)

    def along(self, direction: FloatArray) -> FloatArray:
        """(C,) z·direction of all classes; computed once a block for the direction asked last."""
        parts = [view.block.along(direction) for view in self.views]
        shown = [p if view.live is None else p[view.live_rows] for p, view in zip(parts, self.views, strict=True)]
        return np.concatenate(shown)

    def rows(self, candidates: Candidates) -> IntArray:
        """Rows of all, of the seen or of the unseen classes.

        Raises RankingError when there is none, or for another word.
        """
        if candidates not in get_args(Candidates):
            raise RankingError(f"candidates {candidates!r}; allowed are {', '.join(get_args(Candidates))}")
        if candidates == "all":
            rows = np.arange(len(self))
        else:
            rows = np.flatnonzero(self.seen if candidates == "seen" else ~self.seen)
        if not len(rows):
            kind = "" if candidates == "all" else f"{candidates} "
            raise RankingError(
                f"candidates {candidates!r}, but the {len(self)} classes hold no {kind}class; "
                "register one first, or ask for candidates 'all'"
            )
        return rows.astype(np.int64, copy=False)

    def _starts(self) -> Iterator[int]:
        yield 0
        yield from self._ends[:-1]

    def _at(self, row: int) -> tuple[BlockView, int]:
        """The view that shows a row, and its row in the block. Raises IndexError."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} classes")
        place = bisect_right(self._ends, row)
        view = self.views[place]
        inside = row - (self._ends[place - 1] if place else 0)
        return view, inside if view.live is None else int(view.live_rows[inside])


def _frozen(array: NDArray[Scalar]) -> NDArray[Scalar]:
    array.setflags(write=False)
    return array
