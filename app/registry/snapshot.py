"""One class space at one revision, ready to be scored: the bundle's seen classes and the registered unseen ones."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from app.registry.blocks import RecordView, blocks_of, tidy
from app.registry.carrier import Carrier
from app.registry.store import SETTINGS, ClassRecord, Head, StoreRefused, gamma_in
from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray
from duet_core.runtime import BlockView, ClassBlock, ClassSet
from duet_core.runtime.carrying import CannotCarry

log = logging.getLogger("duet.registry")


def schema_fingerprint(schema: AttributeSchema) -> str:
    """Names a schema in stored records: degrees mean nothing without the attributes they belong to."""
    return hashlib.sha256("\n".join(schema.keys).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class SeenClasses:
    """What every class space begins with.

    Attributes:
        classes: the C seen classes of the bundle.
        degrees: (C, A) their degrees, 0…1.
        schema: fingerprint of the bundle's attributes.
        carrier: what makes degrees of classes with other attributes; without it they are left out.
    """

    classes: ClassSet
    degrees: FloatArray
    schema: str
    carrier: Carrier | None = None


@dataclass(frozen=True)
class LeftOut:
    """A registered class that is no candidate of this bundle, without its degrees, and why; the store keeps it."""

    record: ClassRecord
    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """Immutable; an answer takes one and reads nothing else, so it never mixes two revisions.

    Attributes:
        space: name of the class space.
        head: epoch and revision of the space.
        views: the registered classes, in the order they were stored last.
        seen_changes: records of kind "seen" by the id of the seen class they hide or relabel.
        seen: the bundle's classes.
        expiring: registered classes with a time of expiry, as (expires_at, revision) by id.
        left_out: registered classes that the bundle cannot express, or has learned itself, by id.
        settings: the record of kind "settings", once there is one.
    """

    space: str
    head: Head
    views: tuple[RecordView, ...] = ()
    seen_changes: Mapping[str, ClassRecord]
    seen: SeenClasses
    expiring: Mapping[str, tuple[float, int]]
    settings: ClassRecord | None = None
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)

    @property
    def gamma(self) -> float | None:
        """γ that the space sets; None leaves that of the bundle."""
        return None if self.settings is None else gamma_in(self.settings.detail_json)

    @property
    def revision(self) -> int:
        """Revision of the space."""
        return self.head.revision

    @cached_property
    def classes(self) -> ClassSet:
        """Seen classes first (without hidden ones), then the registered ones."""
        return ClassSet.of([_seen_view(self.seen.classes, self.seen_changes), *(view.shown for view in self.views)])

    @cached_property
    def records(self) -> Mapping[str, ClassRecord]:
        """The registered classes by id, without their degrees."""
        return _Records(self.views)

    def degrees(self, class_id: str) -> FloatArray:
        """(A,) degrees of a class of this snapshot."""
        for view in self.views:
            row = view.shown.find(class_id)
            if row is not None:
                return view.degrees(row)
        row = self.seen.classes.row(class_id)
        assert row is not None, class_id
        degrees: FloatArray = self.seen.degrees[row]
        return degrees

    def changed(self, records: Sequence[ClassRecord], head: Head) -> Snapshot:
        """The snapshot after these records were stored; of several of one class the last one counts.

        A registered class whose id is by now a seen class of the bundle is left out: the bundle knows it better. One
        that was described for other attributes is carried over to the bundle's, or left out where they cannot express
        it. Raises StoreRefused for degrees that do not fit the schema they name.
        """
        latest: dict[str, ClassRecord] = {}
        for record in records:
            latest.pop(record.id, None)
            latest[record.id] = record
        hidden: dict[int, list[int]] = {}
        seen_changes, expiring, left_out = dict(self.seen_changes), dict(self.expiring), dict(self.left_out)
        added, settings = [], latest.pop(SETTINGS, self.settings)
        for record in latest.values():
            place, row, there = self._find(record.id)
            if there == record.revision and not record.deleted:
                continue  # read once more
            if there is not None:
                hidden.setdefault(place, []).append(row)
            for known in (seen_changes, expiring, left_out):
                known.pop(record.id, None)
            if record.deleted:
                continue
            if record.kind == "seen":
                seen_changes[record.id] = record
                continue
            fitted = self._fitted(record)
            if isinstance(fitted, LeftOut):
                left_out[record.id] = fitted
            else:
                added.append(fitted)
            if record.expires_at is not None:
                expiring[record.id] = (record.expires_at, record.revision)
        views = [view.without(hidden[i]) if i in hidden else view for i, view in enumerate(self.views)]
        return Snapshot(
            space=self.space,
            head=head,
            views=tidy([*views, *blocks_of(added, self.seen.classes.metric)]),
            seen_changes=seen_changes,
            seen=self.seen,
            expiring=expiring,
            settings=None if settings is None or settings.deleted else settings,
            left_out=left_out,
        )

    def carried(self) -> int:
        """How many classes were described for other attributes and are candidates all the same."""
        own = self.seen.schema
        return sum(record.schema != own for view in self.views for record in view.records())

    def under(self, seen: SeenClasses) -> Snapshot | None:
        """This space for another bundle with the same attributes, sharing all blocks of classes.

        None when that would be another space than the store's, read anew: something here depends on the bundle.
        """
        if seen.schema != self.seen.schema or self.left_out or self.carried():
            return None
        if seen.classes.metric.checksum != self.seen.classes.metric.checksum:
            return None  # class vectors of another length
        if any(self._find(class_id)[2] is not None for class_id in seen.classes.ids):
            return None
        return dataclasses.replace(self, seen=seen)

    def as_of(self, revision: int, old: Sequence[ClassRecord]) -> Snapshot:
        """This space as it was at an earlier revision.

        Args:
            old: the classes of that revision that were replaced or deleted since.
        """
        views = []
        for view in self.views:
            late = np.flatnonzero(view.block.revisions > revision)
            views.append(view.without(late) if len(late) else view)
        seen_changes = {name: record for name, record in self.seen_changes.items() if record.revision <= revision}
        keeps = self.settings is not None and self.settings.revision <= revision
        before = Snapshot(
            space=self.space,
            head=Head(self.head.epoch, revision),
            views=tuple(view for view in views if len(view)),
            seen_changes=seen_changes,
            seen=self.seen,
            expiring={},
            settings=self.settings if keeps else None,
            left_out={name: left for name, left in self.left_out.items() if left.record.revision <= revision},
        )
        return before.changed(old, before.head)

    def _find(self, class_id: str) -> tuple[int, int, int | None]:
        """View, row in its block and revision of a registered class; (-1, -1, None) when there is none."""
        for place in range(len(self.views) - 1, -1, -1):
            row = self.views[place].shown.find(class_id)
            if row is not None:
                return place, row, int(self.views[place].block.revisions[row])
        return -1, -1, None

    def _fitted(self, record: ClassRecord) -> ClassRecord | LeftOut:
        """The record with degrees for this bundle's attributes; `schema` goes on saying which it was described for."""
        if self.seen.classes.row(record.id) is not None:
            return self._left_out(record, "it is a seen class of this bundle, which knows it better")
        if record.schema == self.seen.schema:
            if len(record.degrees) == 4 * self.seen.degrees.shape[1]:
                return record
            raise StoreRefused(
                f"class {record.id!r} of space {self.space!r} has {len(record.degrees) // 4} degrees; its attributes "
                f"are {self.seen.degrees.shape[1]}. Something else wrote it: restore the store from a backup"
            )
        if self.seen.carrier is None:
            return self._left_out(record, "it was described for other attributes")
        try:
            degrees = self.seen.carrier.degrees(record)
        except CannotCarry as error:
            return self._left_out(record, f"it was described for other attributes: {error}")
        return dataclasses.replace(record, degrees=degrees.astype("<f4").tobytes())

    def _left_out(self, record: ClassRecord, reason: str) -> LeftOut:
        log.warning("space %s: registered class %r is left out: %s", self.space, record.id, reason)
        return LeftOut(dataclasses.replace(record, degrees=b""), reason)


def empty_snapshot(space: str, seen: SeenClasses) -> Snapshot:
    """A space that nothing was registered in."""
    return Snapshot(space=space, head=Head(), seen_changes={}, seen=seen, expiring={})


class _Records(Mapping[str, ClassRecord]):
    """The records shown by some views; made without walking through them."""

    def __init__(self, views: Sequence[RecordView]) -> None:
        self._views = views

    def __getitem__(self, class_id: str) -> ClassRecord:
        for view in self._views:
            row = view.shown.find(class_id)
            if row is not None:
                return view.block.records[row]
        raise KeyError(class_id)

    def __iter__(self) -> Iterator[str]:
        for view in self._views:
            yield from view.shown.shown(view.block.classes.ids)

    def __len__(self) -> int:
        return sum(map(len, self._views))


def _seen_view(seen: ClassSet, changes: Mapping[str, ClassRecord]) -> BlockView:
    """The seen classes as a space shows them. Changes of classes that this bundle does not know change nothing."""
    if not changes:
        return seen.views[0]
    labels, live = list(seen.labels), np.ones(len(seen), dtype=np.bool_)
    for class_id, record in changes.items():
        row = seen.row(class_id)
        if row is not None:
            labels[row] = record.label or labels[row]
            live[row] = not record.detail.get("hidden", False)
    block = ClassBlock(ids=seen.ids, labels=tuple(labels), seen=seen.seen, z=seen.z, metric=seen.metric)
    return BlockView(block, None if live.all() else live)
