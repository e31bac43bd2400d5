"""What a class store is: the classes of each class space, every write raising the space's revision."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

Kind = Literal["vector", "mapping", "prompt", "seen", "settings"]
SpaceChange = Literal["", "create", "delete"]

LOG_LENGTH = 10_000
"""Revisions a store remembers for each space: audit log, tombstones, and what they replaced."""
UNDO_ROWS = 5_000
"""Most classes one write may replace or delete and still be undone by `as_of`."""
LOGGED_IDS = 100
"""Most ids that an entry of the audit log names."""

SETTINGS = "_settings"
"""Id of the record of kind "settings"; no class can have it, ids of classes begin with a letter or digit."""

ANY = None
ABSENT = 0
PRESENT = -1


class StoreError(Exception):
    """Base of what a store raises."""


class StoreUnavailable(StoreError):
    """The store did not answer; nothing is known to be written."""


class StoreCannotWrite(StoreUnavailable):
    """The store reads but does not write until somebody mends it; `reason` is fit for clients: no names or paths."""

    def __init__(self, told: str, reason: str) -> None:
        super().__init__(told)
        self.reason = reason


class StoreRefused(StoreError):
    """The store answers but cannot be used: a foreign file, another format version, records that cannot be read."""


@dataclass(frozen=True)
class Conflict:
    """A change whose class is not as expected: `revision` is the one it has, 0 when there is no such class."""

    position: int
    id: str
    revision: int


class WriteConflict(StoreError):
    """Some classes are not as the write expected; nothing was written. `conflicts` names the first hundred."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(", ".join(conflict.id for conflict in conflicts[:3]))
        self.conflicts = tuple(conflicts)


class SpaceExists(StoreError):
    """`create` of a class space that there is."""


class SpaceMissing(StoreError):
    """`delete` of a class space that there is not."""


def now() -> str:
    """This moment as stores keep it: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def seconds_since(moment: str) -> float | None:
    """Seconds since `moment`, as `now` writes it, at least 0 whatever the clocks say; None for other texts."""
    try:
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    except (ValueError, TypeError):  # TypeError: a moment without its zone
        return None


def as_json(detail: Mapping[str, Any]) -> str:
    """`ClassRecord.detail` as it is kept."""
    return json.dumps(detail, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassRecord:
    """One class of a class space as the store keeps it.

    A record of kind "seen" changes how a seen class of the bundle appears in the space: its label, or whether at all.
    The one of kind "settings" holds what the space sets for its answers, so that it is written, logged, followed,
    copied and replayed as classes are.

    Attributes:
        id: slug, unique in its class space.
        label: the name shown to people; of kind "seen" an empty one leaves the bundle's.
        kind: how the client described it.
        degrees: (A,) degrees, float32 little-endian; z is their direction. Empty for those two kinds and in snapshots.
        schema: fingerprint of the attribute schema the degrees belong to.
        detail_json: what the client sent (prompt or mapping), `hidden` of kind "seen" or `gamma` of kind "settings".
        expires_at: seconds since 1970 after which the class is deleted, or None. The four below are set by the store:
        created_at, updated_at: ISO 8601, UTC.
        version: 1 for a new class, one more with every change of it.
        revision: of the space, right after this version was stored.
        deleted: a tombstone: the class was deleted at this revision.
    """

    id: str
    label: str
    kind: Kind
    degrees: bytes
    schema: str
    detail_json: str = "{}"
    expires_at: float | None = None
    created_at: str = ""
    updated_at: str = ""
    version: int = 0
    revision: int = 0
    deleted: bool = False

    def vector(self) -> NDArray[np.float32]:
        """(A,) degrees, read-only."""
        return np.frombuffer(self.degrees, dtype="<f4").astype(np.float32, copy=False)

    @property
    def detail(self) -> dict[str, Any]:
        """What the client sent."""
        return cast("dict[str, Any]", json.loads(self.detail_json))


def settings_record(schema: str, *, gamma: float | None) -> ClassRecord:
    """The settings of a class space; a γ of None leaves that of the bundle."""
    detail = as_json({"gamma": gamma})
    return ClassRecord(id=SETTINGS, label="", kind="settings", degrees=b"", schema=schema, detail_json=detail)


def gamma_in(settings_json: str | bytes) -> float | None:
    """γ in the `detail_json` of settings."""
    gamma = json.loads(settings_json).get("gamma")
    return None if gamma is None else float(gamma)


@dataclass(frozen=True, slots=True)
class Put:
    """Store a class, new or in place of another version.

    `expect` is what must be there, or nothing is written: ANY, ABSENT, PRESENT, or the revision of the version that is
    to be replaced.
    """

    record: ClassRecord
    expect: int | None = ANY

    @property
    def id(self) -> str:
        """Which class."""
        return self.record.id


@dataclass(frozen=True, slots=True)
class Drop:
    """Delete a class; see Put for `expect`."""

    id: str
    expect: int | None = PRESENT


Change = Put | Drop


@dataclass(frozen=True)
class Act:
    """What the audit log says of a write: what, who, when."""

    operation: str
    actor: str = "anonymous"
    at: str = field(default_factory=now)


@dataclass(frozen=True)
class Written:
    """The space's new revision, and the version of the first class written."""

    revision: int
    version: int


@dataclass(frozen=True)
class Head:
    """Where a space is. Another `epoch` means another history: the store was made anew.

    So does another `token` at the same revision: the store lost its last writes and has gone on from there. A store
    that cannot lose any leaves it empty.
    """

    epoch: str = ""
    revision: int = 0
    token: str = ""


@dataclass(frozen=True)
class Page:
    """Records after a place, in the order of (revision, id), read together with the head at one moment.

    Tombstones up to revision `floor` are gone: who is further behind cannot follow and reads everything. `token` is
    that of the revision that was to be read after, as far as it is known.
    """

    head: Head
    floor: int
    records: tuple[ClassRecord, ...]
    token: str = ""


@dataclass(frozen=True)
class LogEntry:
    """One write: who did what when; `ids` are the first hundred of `count` classes."""

    revision: int
    at: str
    actor: str
    operation: str
    count: int
    ids: tuple[str, ...]


@dataclass(frozen=True)
class SpaceInfo:
    """A class space; `classes` counts the registered ones, `gamma` is the space's own γ."""

    name: str
    revision: int
    classes: int
    label: str
    created_at: str
    gamma: float | None = None


class ClassStore(Protocol):
    """Source of truth and change feed. Every method may raise StoreUnavailable or StoreRefused.

    A space that was never written to has revision 0 and no classes; its first write makes it.
    """

    name: str
    """ "sqlite" or "redis", for logs and metrics."""

    async def write(
        self, space: str, changes: Sequence[Change], act: Act, *, space_change: SpaceChange = "", label: str = ""
    ) -> Written:
        """All changes under one new revision with one entry in the log, or nothing at all; every id at most once.

        Args:
            space_change: "create": the space must not exist; "delete": it must, and all its classes go.
            label: name of a created space for people.

        Raises WriteConflict, SpaceExists, SpaceMissing.
        """
        ...

    async def get(self, space: str, class_id: str) -> ClassRecord | None:
        """The class, or None."""
        ...

    async def head(self, space: str) -> Head:
        """Where the space is."""
        ...

    async def page(self, space: str, after: tuple[int, str], limit: int) -> Page:
        """At most `limit` records after (revision, id), tombstones too; fewer mean that there are no more."""
        ...

    async def past(self, space: str, revision: int) -> tuple[ClassRecord, ...] | None:
        """The classes of `revision` that were replaced or deleted since, or None when that is forgotten."""
        ...

    async def log(self, space: str, before: int | None, limit: int) -> tuple[LogEntry, ...]:
        """Entries of the audit log below revision `before`, newest first."""
        ...

    async def spaces(self) -> tuple[SpaceInfo, ...]:
        """All class spaces, by name."""
        ...

    async def wait(self, known: Mapping[str, int], seconds: float) -> Collection[str]:
        """Return when one of these spaces may have passed its revision, with their names; or empty after a while."""
        ...

    async def remember_schema(self, fingerprint: str, schema_json: str) -> None:
        """Keep what the attributes are that `ClassRecord.schema` names, for those who have others."""
        ...

    async def schema_json(self, fingerprint: str) -> str | None:
        """What was remembered, or None."""
        ...

    async def ping(self) -> None:
        """Return when the store answers."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads."""
        ...


def checked(changes: Sequence[Change]) -> Sequence[Change]:
    """The changes. Raises ValueError when an id occurs twice."""
    if len({change.id for change in changes}) != len(changes):
        raise ValueError("a class occurs twice in one write; give each id once")
    return changes
