"""One class space at one revision, ready to be scored: the bundle's seen classes and the registered unseen ones."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from app.registry.store import ClassRecord, StoreRefused
from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray, unit_rows
from duet_core.runtime import ClassSet

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
    """

    classes: ClassSet
    degrees: FloatArray
    schema: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Immutable; an answer takes one and reads nothing else, so it never mixes two revisions.

    Attributes:
        space: name of the class space.
        revision: of the space.
        classes: seen classes first, then the registered ones in the order they were stored.
        records: the registered classes by id.
        seen: the bundle's classes.
    """

    space: str
    revision: int
    classes: ClassSet
    records: Mapping[str, ClassRecord]
    seen: SeenClasses

    def degrees(self, class_id: str) -> FloatArray:
        """(A,) degrees of a class of this snapshot."""
        if class_id in self.records:
            return self.records[class_id].vector()
        row = self.seen.classes.row(class_id)
        assert row is not None, class_id
        degrees: FloatArray = self.seen.degrees[row]
        return degrees


def build_snapshot(space: str, revision: int, records: Mapping[str, ClassRecord], seen: SeenClasses) -> Snapshot:
    """The snapshot of these registered classes.

    A registered class whose id is by now a seen class of the bundle is left out: the bundle knows it better.
    Raises StoreRefused for degrees of another schema.
    """
    kept = {}
    for record in sorted(records.values(), key=lambda record: record.revision):
        if record.schema != seen.schema or len(record.degrees) != 4 * seen.degrees.shape[1]:
            raise StoreRefused(
                f"class {record.id!r} of space {space!r} has degrees for another attribute schema ({record.schema}, "
                f"this bundle's is {seen.schema}); name another store in DUET_STORE or another bundle in DUET_BUNDLE"
            )
        if seen.classes.row(record.id) is None:
            kept[record.id] = record
        else:
            log.warning("space %s: registered class %r is a seen class of this bundle; left out", space, record.id)
    return Snapshot(space=space, revision=revision, classes=_joined(seen.classes, kept), records=kept, seen=seen)


def _joined(seen: ClassSet, records: Mapping[str, ClassRecord]) -> ClassSet:
    if not records:
        return seen
    degrees = np.stack([record.vector() for record in records.values()])  # (U, A)
    return ClassSet(
        ids=(*seen.ids, *records),
        labels=(*seen.labels, *(record.label for record in records.values())),
        seen=np.concatenate([seen.seen, np.zeros(len(records), dtype=np.bool_)]),
        z=np.concatenate([seen.z, unit_rows(degrees)]),
    )
