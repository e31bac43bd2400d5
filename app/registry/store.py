"""What a class store is: registered classes by class space, each write raising the space's revision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Kind = Literal["vector", "mapping", "prompt"]

LOG_LENGTH = 10_000
"""Changes a store remembers for each space; whoever is further behind loads the space anew."""


class StoreError(Exception):
    """Base of what a store raises."""


class StoreUnavailable(StoreError):
    """The store did not answer; nothing is known to be written."""


class StoreRefused(StoreError):
    """The store answers but cannot be used: a foreign file, another format version, records that cannot be read."""


class ClassExists(StoreError):
    """`put` of an id that the space already has."""


class ClassMissing(StoreError):
    """`delete` of an id that the space does not have."""


@dataclass(frozen=True, kw_only=True)
class ClassRecord:
    """One registered class as the store keeps it.

    Attributes:
        id: slug, unique in its class space.
        label: the name shown to people.
        kind: how the client described it.
        degrees: (A,) degrees, float32 little-endian; z is their direction.
        schema: fingerprint of the attribute schema the degrees belong to.
        detail: what the client sent (prompt or mapping) and how it was understood; plain JSON data.
        created_at: ISO 8601, UTC.
        revision: of the space, right after this class was stored; 0 before it is.
    """

    id: str
    label: str
    kind: Kind
    degrees: bytes
    schema: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    revision: int = 0

    def vector(self) -> NDArray[np.float32]:
        """(A,) degrees, read-only."""
        return np.frombuffer(self.degrees, dtype="<f4").astype(np.float32, copy=False)

    @property
    def detail_json(self) -> str:
        """`detail` as it is stored."""
        return json.dumps(self.detail, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True)
class Space:
    """All registered classes of a class space at one revision, in the order they were stored."""

    revision: int
    records: tuple[ClassRecord, ...]


@dataclass(frozen=True)
class Changes:
    """What happened after a revision: the classes stored since (and still there), and the ids deleted since."""

    revision: int
    stored: tuple[ClassRecord, ...]
    deleted: frozenset[str]


class ClassStore(Protocol):
    """Source of truth and change feed. Every method may raise StoreUnavailable.

    Writes are atomic: a record, its revision and its entry in the change log appear together or not at all.
    """

    name: str
    """ "sqlite" or "redis", for logs and metrics."""

    async def put(self, space: str, record: ClassRecord) -> int:
        """Store a new class; returns the space's new revision. Raises ClassExists."""
        ...

    async def get(self, space: str, class_id: str) -> ClassRecord | None:
        """The class, or None."""
        ...

    async def delete(self, space: str, class_id: str) -> int:
        """Remove a class; returns the space's new revision. Raises ClassMissing."""
        ...

    async def revision(self, space: str) -> int:
        """The space's revision: 0 before its first write, then one more for every write."""
        ...

    async def load(self, space: str) -> Space:
        """Everything, as it was at one revision."""
        ...

    async def changes(self, space: str, since: int) -> Changes | None:
        """What happened after `since`, or None when the log cannot tell (too far behind, or a store made anew)."""
        ...

    async def ping(self) -> None:
        """Return when the store answers."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads."""
        ...
