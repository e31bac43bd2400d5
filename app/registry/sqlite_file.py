"""The SQLite file of the class store: its tables, opening it, and bringing an older file up to date."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.registry.store import StoreCannotWrite, StoreRefused, StoreUnavailable

DISK_FULL, READ_ONLY = "its disk is full", "its file system is read-only"
"""Why a StoreCannotWrite."""
FORMAT = 2
"""`PRAGMA user_version` of the tables below."""

COLUMNS = "id, label, kind, degrees, schema, detail, expires_at, created_at, updated_at, version, revision, deleted"
"""The columns of a class, in the order of ClassRecord's fields."""
RECORD = """
    id TEXT NOT NULL, label TEXT NOT NULL, kind TEXT NOT NULL, degrees BLOB NOT NULL, schema TEXT NOT NULL,
    detail TEXT NOT NULL, expires_at REAL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    version INTEGER NOT NULL, revision INTEGER NOT NULL, deleted INTEGER NOT NULL"""
TABLES = f"""
CREATE TABLE spaces (
    space TEXT PRIMARY KEY, revision INTEGER NOT NULL, epoch TEXT NOT NULL, state TEXT NOT NULL,
    classes INTEGER NOT NULL, floor INTEGER NOT NULL, horizon INTEGER NOT NULL,
    label TEXT NOT NULL, created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE classes (space TEXT NOT NULL, {RECORD}, PRIMARY KEY (space, id));
CREATE INDEX classes_by_revision ON classes (space, revision, id);
CREATE INDEX tombstones ON classes (space, revision) WHERE deleted;
CREATE TABLE log (
    space TEXT NOT NULL, revision INTEGER NOT NULL, at TEXT NOT NULL, actor TEXT NOT NULL, operation TEXT NOT NULL,
    count INTEGER NOT NULL, ids TEXT NOT NULL, PRIMARY KEY (space, revision)
) WITHOUT ROWID;
CREATE TABLE undo (space TEXT NOT NULL, replaced INTEGER NOT NULL, {RECORD});
CREATE INDEX undo_by_revision ON undo (space, replaced);
"""
SCHEMAS = """CREATE TABLE IF NOT EXISTS schemas (
    fingerprint TEXT PRIMARY KEY, attributes TEXT NOT NULL
) WITHOUT ROWID"""
"""Has come later, and does not hinder an older program."""
FROM_1 = """
ALTER TABLE spaces RENAME TO spaces_1;
ALTER TABLE classes RENAME TO classes_1;
ALTER TABLE log RENAME TO log_1;
DROP INDEX classes_by_revision;
"""
COPY_1 = f"""
INSERT INTO spaces SELECT space, revision, lower(hex(randomblob(8))), 'active',
    (SELECT count(*) FROM classes_1 WHERE classes_1.space = spaces_1.space), revision, revision, '', '' FROM spaces_1;
INSERT INTO classes (space, {COLUMNS}) SELECT space, id, label, kind, degrees, schema, detail, NULL, created_at,
    created_at, 1, revision, 0 FROM classes_1;
INSERT INTO log SELECT space, revision, '', '', operation, 1, id FROM log_1;
DROP TABLE spaces_1;
DROP TABLE classes_1;
DROP TABLE log_1;
"""


def open_file(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection to the file, made when missing and brought to this format when older.

    One that is of this format already is not written to: it must be readable where nothing can be written. Raises
    StoreRefused for a missing folder, a read-only one without what reading needs, or a file that is none of ours.
    """
    if not path.parent.is_dir():
        raise StoreRefused(f"SQLite file {path}: its folder does not exist; make it, or name another in DUET_STORE")
    try:
        return _opened(path, timeout)
    except sqlite3.OperationalError as error:
        if read_only(path.parent):
            raise StoreRefused(
                f"SQLite file {path}: its folder is read-only ({error}); make it writable, or name another file in "
                "DUET_STORE"
            ) from error
        raise


def _opened(path: Path, timeout: float) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # a 201 means the class survives a power cut
        if not _up_to_date(db):
            with transaction(db, "IMMEDIATE"):
                _bring_up_to_date(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _up_to_date(db: sqlite3.Connection) -> bool:
    """Asked without the write lock, which a full disk or a read-only file system may refuse."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    found = db.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('spaces', 'schemas')").fetchone()[0]
    return bool(version == FORMAT and found == 2)


def _bring_up_to_date(db: sqlite3.Connection, path: Path) -> None:
    """Raises StoreRefused."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if version == 1:
        _run(db, FROM_1 + TABLES + COPY_1)
    elif version == 0 and tables == 0:
        _run(db, TABLES)
    elif version != FORMAT:
        raise StoreRefused(
            f"SQLite file {path.name} has format {version}, this version reads {FORMAT}; "
            "name another file in DUET_STORE"
        )
    db.execute(SCHEMAS)
    db.execute(f"PRAGMA user_version = {FORMAT}")


def unavailable(error: sqlite3.OperationalError, path: Path) -> StoreUnavailable:
    """What SQLite says of the file, as the store's: StoreCannotWrite where it is known what has to be mended.

    A file system that becomes read-only under an open file, or full in other ways than SQLite knows, is an I/O error
    to SQLite; so the folder is looked at too.
    """
    told = f"SQLite file {path.name}: {error}"
    name = getattr(error, "sqlite_errorname", "")  # errors of Python's own, such as of decoding, have none
    failed = name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN"))
    if name == "SQLITE_FULL" or (failed and _full(path.parent)):
        return StoreCannotWrite(told, DISK_FULL)
    if name.startswith("SQLITE_READONLY") or (failed and read_only(path.parent)):
        return StoreCannotWrite(told, READ_ONLY)
    return StoreUnavailable(told)


def read_only(folder: Path) -> bool:
    """Whether this process cannot make files there, such as SQLite's log."""
    return not os.access(folder, os.W_OK)


def _full(folder: Path) -> bool:
    """Whether not even one block is free there."""
    try:
        return os.statvfs(folder).f_bavail == 0
    except OSError:
        return False


def new_epoch() -> str:
    """Names the history of a space."""
    return secrets.token_hex(8)


@contextmanager
def transaction(db: sqlite3.Connection, mode: str) -> Iterator[None]:
    """All or nothing. IMMEDIATE takes the write lock first, so that a read cannot be overtaken before the write."""
    db.execute(f"BEGIN {mode}")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite has already rolled back when the disk is full
            db.execute("ROLLBACK")
        raise


def _run(db: sqlite3.Connection, statements: str) -> None:
    """One by one: `executescript` would commit first."""
    for statement in filter(str.strip, statements.split(";")):
        db.execute(statement)
