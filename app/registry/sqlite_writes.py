"""The one write of the SQLite store: compare, then write everything under one new revision, in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.registry.sqlite_file import COLUMNS, new_epoch, transaction
from app.registry.sqlite_reads import schema_json
from app.registry.store import (
    ABSENT,
    ANY,
    LOGGED_IDS,
    PRESENT,
    Act,
    Change,
    Conflict,
    Put,
    SpaceChange,
    SpaceExists,
    SpaceMissing,
    WriteConflict,
    Written,
)

UPSERT = f"INSERT OR REPLACE INTO classes (space, {COLUMNS}) VALUES ({', '.join('?' * 13)})"


@dataclass(frozen=True)
class Limits:
    """How much is remembered: see LOG_LENGTH and UNDO_ROWS."""

    log_length: int
    undo_rows: int


@dataclass(frozen=True)
class Write:
    """What ClassStore.write is asked for."""

    space: str
    changes: Sequence[Change]
    act: Act
    space_change: SpaceChange
    label: str


@dataclass(frozen=True)
class _Before:
    """What there is of a class before the write: a version, a tombstone, or nothing (version 0)."""

    version: int = 0
    revision: int = 0
    deleted: bool = True
    kind: str = ""
    created_at: str = ""


def write(db: sqlite3.Connection, asked: Write, limits: Limits) -> Written:
    """See ClassStore.write."""
    with transaction(db, "IMMEDIATE"):
        row = db.execute("SELECT state, classes FROM spaces WHERE space = ?", (asked.space,)).fetchone()
        state, classes = row or ("", 0)
        if asked.space_change == "create" and state == "active":
            raise SpaceExists
        if asked.space_change == "delete" and state != "active":
            raise SpaceMissing
        before = [_before(db, asked.space, change.id) for change in asked.changes]
        _compare(asked.changes, before)
        revision = _next_revision(db, asked, state)
        replaced = [change.id for change, old in zip(asked.changes, before, strict=True) if not old.deleted]
        forgets = len(replaced) > limits.undo_rows or asked.space_change == "delete"
        if not forgets:
            query = f"INSERT INTO undo SELECT space, ?, {COLUMNS} FROM classes WHERE space = ? AND id = ?"
            db.executemany(query, ((revision, asked.space, class_id) for class_id in replaced))
        db.executemany(UPSERT, _rows(asked, before, revision))
        _log(db, asked, revision, len(asked.changes) if asked.space_change != "delete" else classes)
        _count(db, asked, before)
        if asked.space_change == "delete":
            db.execute("DELETE FROM classes WHERE space = ?", (asked.space,))
            query = "UPDATE spaces SET state = 'deleted', classes = 0, floor = revision WHERE space = ?"
            db.execute(query, (asked.space,))
        _forget(db, asked.space, revision, limits, everything=forgets)
    return Written(revision, before[0].version + 1 if before else 0)


def _before(db: sqlite3.Connection, space: str, class_id: str) -> _Before:
    query = "SELECT version, revision, deleted, kind, created_at FROM classes WHERE space = ? AND id = ?"
    row = db.execute(query, (space, class_id)).fetchone()
    return _Before(*row) if row else _Before()


def _compare(changes: Sequence[Change], before: Sequence[_Before]) -> None:
    """Raises WriteConflict."""
    conflicts = []
    for position, (change, old) in enumerate(zip(changes, before, strict=True)):
        found = 0 if old.deleted else old.revision
        fits = {ANY: True, ABSENT: found == 0, PRESENT: found > 0}.get(change.expect, change.expect == found)
        if not fits:
            conflicts.append(Conflict(position, change.id, found))
    if conflicts:
        raise WriteConflict(conflicts[:LOGGED_IDS])


def _next_revision(db: sqlite3.Connection, asked: Write, state: str) -> int:
    """Raise the revision, making the space when there is none."""
    values = (asked.space, new_epoch(), asked.label, asked.act.at)
    db.execute("INSERT OR IGNORE INTO spaces VALUES (?, 0, ?, 'active', 0, 0, 0, ?, ?)", values)
    if state == "deleted":
        query = "UPDATE spaces SET state = 'active', label = ?, created_at = ? WHERE space = ?"
        db.execute(query, (asked.label, asked.act.at, asked.space))
    query = "UPDATE spaces SET revision = revision + 1 WHERE space = ? RETURNING revision"
    return int(db.execute(query, (asked.space,)).fetchone()[0])


def _rows(asked: Write, before: Sequence[_Before], revision: int) -> Iterator[tuple[Any, ...]]:
    at = asked.act.at
    for change, old in zip(asked.changes, before, strict=True):
        version = old.version + 1
        if isinstance(change, Put):
            record = change.record
            texts = (record.label, record.kind, record.degrees, record.schema, record.detail_json, record.expires_at)
            created = at if old.deleted else old.created_at
            yield asked.space, record.id, *texts, created, at, version, revision, 0
        else:
            nothing = ("", "vector", b"", "", "{}", None)
            yield asked.space, change.id, *nothing, old.created_at or at, at, version, revision, 1


def _log(db: sqlite3.Connection, asked: Write, revision: int, count: int) -> None:
    act, ids = asked.act, " ".join(change.id for change in asked.changes[:LOGGED_IDS])
    values = (asked.space, revision, act.at, act.actor, act.operation, count, ids)
    db.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def _count(db: sqlite3.Connection, asked: Write, before: Sequence[_Before]) -> None:
    """Keep the number of registered classes; changes of seen ones and settings do not count."""
    others = ("seen", "settings")
    new = sum(isinstance(change, Put) and change.record.kind not in others for change in asked.changes)
    gone = sum(not old.deleted and old.kind not in others for old in before)
    db.execute("UPDATE spaces SET classes = classes + ? WHERE space = ?", (new - gone, asked.space))


def _forget(db: sqlite3.Connection, space: str, revision: int, limits: Limits, *, everything: bool) -> None:
    """Let go of what lies further back than the log reaches, or of all that was replaced."""
    oldest = revision - limits.log_length
    horizon = revision if everything else oldest
    db.execute("DELETE FROM undo WHERE space = ? AND replaced <= ?", (space, horizon))
    db.execute("UPDATE spaces SET horizon = max(horizon, ?) WHERE space = ?", (horizon, space))
    if oldest <= 0:
        return
    db.execute("DELETE FROM log WHERE space = ? AND revision <= ?", (space, oldest))
    query = "DELETE FROM classes WHERE space = ? AND deleted AND revision <= ?"
    if db.execute(query, (space, oldest)).rowcount:
        db.execute("UPDATE spaces SET floor = max(floor, ?) WHERE space = ?", (oldest, space))


def remember_schema(db: sqlite3.Connection, fingerprint: str, attributes: str) -> None:
    """Nothing is written, and no other process woken, when it is known."""
    if schema_json(db, fingerprint) is None:
        db.execute("INSERT OR IGNORE INTO schemas VALUES (?, ?)", (fingerprint, attributes))
