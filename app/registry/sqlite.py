"""Registered classes in one SQLite file (WAL): the default store; several processes may share the file."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from app.registry import sqlite_reads, sqlite_writes
from app.registry.sqlite_file import READ_ONLY, open_file, unavailable
from app.registry.store import (
    LOG_LENGTH,
    UNDO_ROWS,
    Act,
    Change,
    ClassRecord,
    Head,
    LogEntry,
    Page,
    SpaceChange,
    SpaceInfo,
    StoreCannotWrite,
    StoreRefused,
    Written,
    checked,
)

Result = TypeVar("Result")

GLANCE_SECONDS = 0.1
"""How often a waiting process looks whether another one has written to the file."""


class SqliteStore:
    """One connection in one thread of its own, so that a slow disk never stops the event loop.

    Args:
        path: the file; made when missing, its folder must exist.
        timeout: seconds to wait for another process's write before StoreUnavailable.
    """

    name = "sqlite"

    def __init__(
        self, path: Path, *, timeout: float = 1.0, log_length: int = LOG_LENGTH, undo_rows: int = UNDO_ROWS
    ) -> None:
        self.path = path
        self._timeout = timeout
        self._limits = sqlite_writes.Limits(log_length, undo_rows)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None
        self._glanced = -1

    async def write(
        self, space: str, changes: Sequence[Change], act: Act, *, space_change: SpaceChange = "", label: str = ""
    ) -> Written:
        """See ClassStore."""
        checked(changes)
        asked = sqlite_writes.Write(space, changes, act, space_change, label)
        return await self._run(lambda db: sqlite_writes.write(db, asked, self._limits))

    async def get(self, space: str, class_id: str) -> ClassRecord | None:
        """See ClassStore."""
        return await self._run(lambda db: sqlite_reads.get(db, space, class_id))

    async def head(self, space: str) -> Head:
        """See ClassStore."""
        return await self._run(lambda db: sqlite_reads.head(db, space))

    async def page(self, space: str, after: tuple[int, str], limit: int) -> Page:
        """See ClassStore."""
        return await self._run(lambda db: sqlite_reads.page(db, space, after, limit))

    async def past(self, space: str, revision: int) -> tuple[ClassRecord, ...] | None:
        """See ClassStore."""
        return await self._run(lambda db: sqlite_reads.past(db, space, revision))

    async def log(self, space: str, before: int | None, limit: int) -> tuple[LogEntry, ...]:
        """See ClassStore."""
        return await self._run(lambda db: sqlite_reads.log(db, space, before, limit))

    async def spaces(self) -> tuple[SpaceInfo, ...]:
        """See ClassStore."""
        return await self._run(sqlite_reads.spaces)

    async def wait(self, known: Mapping[str, int], seconds: float) -> Collection[str]:
        """See ClassStore: looks at the file's data version, which another process's write changes."""
        end = time.monotonic() + seconds
        while True:
            version = await self._run(sqlite_reads.data_version)
            if self._glanced not in (version, -1):
                self._glanced = version
                return set(known)
            self._glanced = version
            left = end - time.monotonic()
            if left <= 0:
                return ()
            await asyncio.sleep(min(GLANCE_SECONDS, left))

    async def remember_schema(self, fingerprint: str, schema_json: str) -> None:
        """See ClassStore."""
        await self._run(lambda db: sqlite_writes.remember_schema(db, fingerprint, schema_json))

    async def schema_json(self, fingerprint: str) -> str | None:
        """See ClassStore."""
        return await self._run(lambda db: sqlite_reads.schema_json(db, fingerprint))

    async def ping(self) -> None:
        """See ClassStore."""
        await self._run(lambda db: db.execute("SELECT 1").fetchone())

    async def close(self) -> None:
        """See ClassStore."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._forget)
        self._thread.shutdown()

    async def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)

    def _guarded(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `work` on the connection, opening it when needed; SQLite's errors become the store's."""
        try:
            if self._connection is None:
                self._connection = open_file(self.path, self._timeout)
            return work(self._connection)
        except sqlite3.OperationalError as error:
            told = unavailable(error, self.path)
            if isinstance(told, StoreCannotWrite) and told.reason == READ_ONLY:
                self._forget()  # the connection would stay read-only when the file system no longer is
            raise told from error
        except sqlite3.DatabaseError as error:
            raise StoreRefused(f"SQLite file {self.path.name}: {error}; name another file in DUET_STORE") from error

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
