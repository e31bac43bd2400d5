"""What is read from the SQLite file; each function is one moment of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from app.registry.sqlite_file import COLUMNS, transaction
from app.registry.store import SETTINGS, ClassRecord, Head, LogEntry, Page, SpaceInfo, gamma_in


def get(db: sqlite3.Connection, space: str, class_id: str) -> ClassRecord | None:
    """A class that is not deleted, or None."""
    query = f"SELECT {COLUMNS} FROM classes WHERE space = ? AND id = ? AND NOT deleted"
    row = db.execute(query, (space, class_id)).fetchone()
    return record_of(row) if row else None


def head(db: sqlite3.Connection, space: str) -> Head:
    """Epoch and revision."""
    row = db.execute("SELECT epoch, revision FROM spaces WHERE space = ?", (space,)).fetchone()
    return Head(*row) if row else Head()


def page(db: sqlite3.Connection, space: str, after: tuple[int, str], limit: int) -> Page:
    """Records after (revision, id), with the head."""
    with transaction(db, "DEFERRED"):  # one read transaction sees one moment
        row = db.execute("SELECT floor FROM spaces WHERE space = ?", (space,)).fetchone()
        query = (
            f"SELECT {COLUMNS} FROM classes WHERE space = ? AND (revision, id) > (?, ?) ORDER BY revision, id LIMIT ?"
        )
        records = tuple(map(record_of, db.execute(query, (space, *after, limit))))
        return Page(head(db, space), row[0] if row else 0, records)


def past(db: sqlite3.Connection, space: str, revision: int) -> tuple[ClassRecord, ...] | None:
    """The classes of a revision that are no longer as they were, or None when that is forgotten."""
    with transaction(db, "DEFERRED"):
        row = db.execute("SELECT horizon, revision FROM spaces WHERE space = ?", (space,)).fetchone() or (0, 0)
        if not row[0] <= revision <= row[1]:
            return None
        query = f"SELECT {COLUMNS} FROM undo WHERE space = ? AND replaced > ? AND revision <= ?"
        return tuple(map(record_of, db.execute(query, (space, revision, revision))))


def log(db: sqlite3.Connection, space: str, before: int | None, limit: int) -> tuple[LogEntry, ...]:
    """Entries below a revision, newest first."""
    query = "SELECT revision, at, actor, operation, count, ids FROM log WHERE space = ?"
    query += "" if before is None else f" AND revision < {int(before)}"
    rows = db.execute(f"{query} ORDER BY revision DESC LIMIT ?", (space, limit))
    return tuple(LogEntry(rev, at, actor, act, count, tuple(ids.split())) for rev, at, actor, act, count, ids in rows)


def spaces(db: sqlite3.Connection) -> tuple[SpaceInfo, ...]:
    """All spaces that are not deleted."""
    query = """
        SELECT coalesce(detail, '{}'), spaces.space, spaces.revision, classes, spaces.label, spaces.created_at
        FROM spaces LEFT JOIN classes ON classes.space = spaces.space AND id = ?
        WHERE state = 'active' ORDER BY spaces.space"""
    rows = db.execute(query, (SETTINGS,))
    return tuple(SpaceInfo(name, rev, count, label, at, gamma_in(told)) for told, name, rev, count, label, at in rows)


def data_version(db: sqlite3.Connection) -> int:
    """A number that differs once another connection has written to the file."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])


def record_of(row: Sequence[Any]) -> ClassRecord:
    """The record of a row of COLUMNS."""
    class_id, label, kind, degrees, schema, detail, expires_at, created_at, updated_at, version, revision, deleted = row
    return ClassRecord(
        id=class_id,
        label=label,
        kind=kind,
        degrees=bytes(degrees),
        schema=schema,
        detail_json=detail,
        expires_at=expires_at,
        created_at=created_at,
        updated_at=updated_at,
        version=version,
        revision=revision,
        deleted=bool(deleted),
    )


def schema_json(db: sqlite3.Connection, fingerprint: str) -> str | None:
    """The attributes that a fingerprint names, or None."""
    row = db.execute("SELECT attributes FROM schemas WHERE fingerprint = ?", (fingerprint,)).fetchone()
    return None if row is None else str(row[0])
