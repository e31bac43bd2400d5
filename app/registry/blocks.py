"""Registered classes in immutable blocks: a change makes a small new block and leaves the large ones as they are."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from app.registry.store import ClassRecord
from duet_core.classes import FloatArray
from duet_core.runtime import BlockView, ClassBlock
from duet_core.runtime.metric import EUCLIDEAN, Metric

MOST_ROWS = 16_384
"""Rows of a block; 20 MB with 312 attributes, so merging two never takes long."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordBlock:
    """n registered classes that lie together.

    Attributes:
        classes: what is scored.
        records: (n,) everything else, without the degrees.
        norms: (n,) length of the degrees in the metric of the classes, so that degrees = norms * z.
        revisions: (n,) of the records.
    """

    classes: ClassBlock
    records: tuple[ClassRecord, ...]
    norms: FloatArray
    revisions: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True, eq=False)
class RecordView:
    """A block as one snapshot shows it; `shown` is what the class set sees of it."""

    block: RecordBlock
    shown: BlockView

    @classmethod
    def of(cls, block: RecordBlock, live: NDArray[np.bool_] | None = None) -> RecordView:
        """All rows of a block, or those that `live` marks."""
        return cls(block, BlockView(block.classes, live))

    def __len__(self) -> int:
        return len(self.shown)

    def records(self) -> Iterable[ClassRecord]:
        """The records shown, in order."""
        if self.shown.live is None:
            return self.block.records
        return (self.block.records[int(row)] for row in self.shown.live_rows)

    def without(self, rows: Sequence[int] | NDArray[np.int64]) -> RecordView:
        """This view with some rows of the block hidden."""
        live = np.ones(len(self.block), dtype=np.bool_) if self.shown.live is None else self.shown.live.copy()
        live[rows] = False
        return RecordView.of(self.block, live)

    def degrees(self, row: int) -> FloatArray:
        """(A,) degrees of a row of the block, to float32's precision."""
        degrees: FloatArray = (self.block.classes.z[row].astype(np.float64) * self.block.norms[row]).astype(np.float32)
        return degrees


def blocks_of(records: Sequence[ClassRecord], metric: Metric = EUCLIDEAN) -> Iterator[RecordView]:
    """New records with their degrees, as views of new blocks of class vectors in this metric."""
    for start in range(0, len(records), MOST_ROWS):
        part = records[start : start + MOST_ROWS]
        degrees = np.frombuffer(b"".join(record.degrees for record in part), dtype="<f4")
        degrees = degrees.reshape(len(part), -1).astype(np.float32, copy=False)  # (n, A)
        norms = metric.lengths(degrees)
        light = tuple(_light(record) for record in part)
        z: FloatArray = (degrees / norms[:, None]).astype(np.float32, copy=False)
        yield RecordView.of(block_of(light, z, norms, metric))


def tidy(views: Sequence[RecordView]) -> tuple[RecordView, ...]:
    """The same classes in the same order in few blocks.

    A block that is mostly hidden is written anew; a small block joins the one before it unless that is more than twice
    as large or full. So many single changes copy each class a few times in all, not once for every change.
    """
    kept: list[RecordView] = []
    for view in views:
        if not len(view):
            continue
        kept.append(merged([view]) if 2 * len(view) < len(view.block) else view)
        while len(kept) > 1 and len(kept[-2]) <= 2 * len(kept[-1]) and len(kept[-2]) + len(kept[-1]) <= MOST_ROWS:
            kept[-2:] = [merged(kept[-2:])]
    return tuple(kept)


def merged(views: Sequence[RecordView]) -> RecordView:
    """The rows shown of several views as one block."""
    records = tuple(chain.from_iterable(view.records() for view in views))
    z = np.concatenate([view.block.classes.z[view.shown.live_rows] for view in views])
    norms = np.concatenate([view.block.norms[view.shown.live_rows] for view in views])
    return RecordView.of(block_of(records, z, norms, views[0].block.classes.metric))


def block_of(records: tuple[ClassRecord, ...], z: FloatArray, norms: FloatArray, metric: Metric) -> RecordBlock:
    """Records without degrees, their class vectors z (N, A), and the norms (N,) of their degrees in the metric."""
    z.setflags(write=False)
    classes = ClassBlock(
        ids=tuple(record.id for record in records),
        labels=tuple(record.label for record in records),
        seen=np.zeros(len(records), dtype=np.bool_),
        z=z,
        metric=metric,
    )
    revisions = np.array([record.revision for record in records], dtype=np.int64)
    return RecordBlock(classes=classes, records=records, norms=norms, revisions=revisions)


def _light(record: ClassRecord) -> ClassRecord:
    """The record without its degrees, which z and the norm hold; words that many records share are kept once."""
    return dataclasses.replace(
        record,
        degrees=b"",
        kind=sys.intern(record.kind),  # type: ignore[arg-type]  # the same word
        schema=sys.intern(record.schema),
        detail_json=sys.intern(record.detail_json) if len(record.detail_json) < 3 else record.detail_json,
        created_at=sys.intern(record.created_at),
        updated_at=sys.intern(record.updated_at),
    )
