"""A SQLite file beside that of the classes: what the processes on it share of photos.

It is a file of its own, since every photo writes to it, and processes look for new classes whenever the classes' file
changes.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from app.registry.sqlite_file import transaction, unavailable
from app.registry.store import StoreRefused

log = logging.getLogger("duet.photos")

Result = TypeVar("Result")

FORMAT = 1
"""`PRAGMA user_version` of the tables below."""
TABLES = (
    """CREATE TABLE states (
        number INTEGER PRIMARY KEY, image_id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, expires_at REAL NOT NULL,
        data BLOB NOT NULL)""",
    "CREATE INDEX states_by_expiry ON states (expires_at)",
    """CREATE TABLE calibrations (
        model TEXT NOT NULL, space TEXT NOT NULL, revision INTEGER NOT NULL, stamp TEXT NOT NULL,
        PRIMARY KEY (model, space)) WITHOUT ROWID""",
    """CREATE TABLE labelled (
        number INTEGER PRIMARY KEY, model TEXT NOT NULL, space TEXT NOT NULL, class_id TEXT NOT NULL,
        v BLOB NOT NULL)""",
    "CREATE INDEX labelled_by_space ON labelled (model, space, number)",
)


def beside(classes: Path) -> Path:
    """The file that belongs to a file of classes.

    >>> beside(Path("data/duet-classes.sqlite")).name
    'duet-classes.photos.sqlite'
    """
    return classes.with_name(f"{classes.stem}.photos{classes.suffix}")


class PhotoFile:
    """One connection in one thread of its own, opened when first needed, and anew after an error.

    Args:
        path: the file; made when missing.
        timeout: seconds to wait for another process's write.
        durable: whether what is written survives a power cut; every write then waits for the disk.
    """

    def __init__(self, path: Path, *, timeout: float, durable: bool) -> None:
        self._path = path
        self._timeout = timeout
        self._durable = durable
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="photo-file")
        self._connection: sqlite3.Connection | None = None
        self._trouble = ""

    async def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """What `work` returns for the connection. Raises StoreUnavailable, StoreRefused."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)

    async def close(self) -> None:
        """Let go of the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._forget)
        self._thread.shutdown()

    def _guarded(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            if self._connection is None:
                self._connection = _opened(self._path, self._timeout, self._durable)
            result = work(self._connection)
        except sqlite3.Error as error:
            self._forget()
            told = f"SQLite file {self._path.name}: {error}"
            if told != self._trouble:  # once, not for every photo
                log.warning("%s; what is known of photos is not shared meanwhile", told)
            self._trouble = told
            if isinstance(error, sqlite3.OperationalError):
                raise unavailable(error, self._path) from error
            raise StoreRefused(told) from error
        self._trouble = ""
        return result

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _opened(path: Path, timeout: float, durable: bool) -> sqlite3.Connection:
    """Raises sqlite3.Error, also for a file that is none of ours."""
    db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        if _format(db) != FORMAT:
            with transaction(db, "IMMEDIATE"):
                _make(db)
    except BaseException:
        db.close()
        raise
    return db


def _format(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _make(db: sqlite3.Connection) -> None:
    """The tables, unless another process has just made them."""
    if _format(db) == FORMAT:
        return
    if _format(db) != 0 or db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise sqlite3.DatabaseError(f"it has format {_format(db)}, this version reads {FORMAT}; move it away")
    for statement in TABLES:
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {FORMAT}")
