"""Registered classes in one SQLite file (WAL): the default store; several processes may share the file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from app.registry.store import (
    LOG_LENGTH,
    Changes,
    ClassExists,
    ClassMissing,
    ClassRecord,
    Space,
    StoreRefused,
    StoreUnavailable,
)

Result = TypeVar("Result")

FORMAT = 1
"""`PRAGMA user_version` of the tables below."""

TABLES = """
CREATE TABLE spaces (space TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE classes (
    space TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, label TEXT NOT NULL, kind TEXT NOT NULL,
    degrees BLOB NOT NULL, schema TEXT NOT NULL, detail TEXT NOT NULL, created_at TEXT NOT NULL,
    PRIMARY KEY (space, id)
);
CREATE UNIQUE INDEX classes_by_revision ON classes (space, revision);
CREATE TABLE log (
    space TEXT NOT NULL, revision INTEGER NOT NULL, operation TEXT NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (space, revision)
) WITHOUT ROWID;
"""
COLUMNS = "id, label, kind, degrees, schema, detail, created_at, revision"


class SqliteStore:
    """One connection in one thread of its own, so that a slow disk never stops the event loop.

    Args:
        path: the file; made when missing, its folder must exist.
        timeout: seconds to wait for another process's write before StoreUnavailable.
    """

    name = "sqlite"

    def __init__(self, path: Path, *, timeout: float = 1.0) -> None:
        self._path = path
        self._timeout = timeout
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None

    async def put(self, space: str, record: ClassRecord) -> int:
        """See ClassStore."""
        return await self._run(lambda db: _put(db, space, record))

    async def get(self, space: str, class_id: str) -> ClassRecord | None:
        """See ClassStore."""
        query = f"SELECT {COLUMNS} FROM classes WHERE space = ? AND id = ?"
        rows = await self._run(lambda db: db.execute(query, (space, class_id)).fetchall())
        return _record(rows[0]) if rows else None

    async def delete(self, space: str, class_id: str) -> int:
        """See ClassStore."""
        return await self._run(lambda db: _delete(db, space, class_id))

    async def revision(self, space: str) -> int:
        """See ClassStore."""
        return await self._run(lambda db: _revision(db, space))

    async def load(self, space: str) -> Space:
        """See ClassStore."""
        return await self._run(lambda db: _load(db, space))

    async def changes(self, space: str, since: int) -> Changes | None:
        """See ClassStore."""
        return await self._run(lambda db: _changes(db, space, since))

    async def ping(self) -> None:
        """See ClassStore."""
        await self._run(lambda db: db.execute("SELECT 1").fetchone())

    async def close(self) -> None:
        """See ClassStore."""

        def finish() -> None:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

        await asyncio.get_running_loop().run_in_executor(self._thread, finish)
        self._thread.shutdown()

    async def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)

    def _guarded(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` on the connection, opening it when needed; SQLite's errors become the store's."""
        try:
            if self._connection is None:
                self._connection = _open(self._path, self._timeout)
            return work(self._connection)
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(f"SQLite file {self._path.name}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise StoreRefused(f"SQLite file {self._path.name}: {error}; name another file in DUET_STORE") from error


def _open(path: Path, timeout: float) -> sqlite3.Connection:
    if not path.parent.is_dir():
        raise StoreRefused(f"SQLite file {path}: its folder does not exist; make it, or name another in DUET_STORE")
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # a 201 means the class survives a power cut
        with _transaction(db, "IMMEDIATE"):
            version = db.execute("PRAGMA user_version").fetchone()[0]
            tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if version == 0 and tables == 0:
                for statement in filter(str.strip, TABLES.split(";")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {FORMAT}")
            elif version != FORMAT:
                raise StoreRefused(
                    f"SQLite file {path.name} has format {version}, this version reads {FORMAT}; "
                    "name another file in DUET_STORE"
                )
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def _transaction(db: sqlite3.Connection, mode: str) -> Iterator[None]:
    """All or nothing. IMMEDIATE takes the write lock first, so that a read cannot be overtaken before the write."""
    db.execute(f"BEGIN {mode}")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _revision(db: sqlite3.Connection, space: str) -> int:
    row = db.execute("SELECT revision FROM spaces WHERE space = ?", (space,)).fetchone()
    return int(row[0]) if row else 0


def _next_revision(db: sqlite3.Connection, space: str, operation: str, class_id: str) -> int:
    """Raise the revision and write the log, inside the caller's transaction."""
    revision = _revision(db, space) + 1
    db.execute("INSERT OR REPLACE INTO spaces VALUES (?, ?)", (space, revision))
    db.execute("INSERT INTO log VALUES (?, ?, ?, ?)", (space, revision, operation, class_id))
    db.execute("DELETE FROM log WHERE space = ? AND revision <= ?", (space, revision - LOG_LENGTH))
    return revision


def _put(db: sqlite3.Connection, space: str, record: ClassRecord) -> int:
    with _transaction(db, "IMMEDIATE"):
        if db.execute("SELECT 1 FROM classes WHERE space = ? AND id = ?", (space, record.id)).fetchone():
            raise ClassExists(record.id)
        revision = _next_revision(db, space, "put", record.id)
        values = (record.id, record.label, record.kind, record.degrees, record.schema, record.detail_json)
        db.execute(
            f"INSERT INTO classes (space, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (space, *values, record.created_at, revision),
        )
    return revision


def _delete(db: sqlite3.Connection, space: str, class_id: str) -> int:
    with _transaction(db, "IMMEDIATE"):
        if not db.execute("DELETE FROM classes WHERE space = ? AND id = ?", (space, class_id)).rowcount:
            raise ClassMissing(class_id)
        return _next_revision(db, space, "delete", class_id)


def _load(db: sqlite3.Connection, space: str) -> Space:
    with _transaction(db, "DEFERRED"):  # one read transaction sees one moment
        revision = _revision(db, space)
        query = f"SELECT {COLUMNS} FROM classes WHERE space = ? ORDER BY revision"
        return Space(revision, tuple(map(_record, db.execute(query, (space,)))))


def _changes(db: sqlite3.Connection, space: str, since: int) -> Changes | None:
    with _transaction(db, "DEFERRED"):
        revision = _revision(db, space)
        query = "SELECT operation, id FROM log WHERE space = ? AND revision > ?"
        entries: Sequence[tuple[str, str]] = db.execute(query, (space, since)).fetchall()
        if len(entries) != revision - since:
            return None
        query = f"SELECT {COLUMNS} FROM classes WHERE space = ? AND revision > ? ORDER BY revision"
        stored = tuple(map(_record, db.execute(query, (space, since))))
    deleted = frozenset(class_id for operation, class_id in entries if operation == "delete")
    return Changes(revision, stored, deleted)


def _record(row: Sequence[Any]) -> ClassRecord:
    class_id, label, kind, degrees, schema, detail, created_at, revision = row
    return ClassRecord(
        id=class_id,
        label=label,
        kind=kind,
        degrees=bytes(degrees),
        schema=schema,
        detail=json.loads(detail),
        created_at=created_at,
        revision=revision,
    )
