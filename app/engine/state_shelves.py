"""Where the states of photos lie for all processes with one SQLite file; redis_shelf.py has those with one Redis."""

from __future__ import annotations

import sqlite3
import time

from app.engine.image_states import Shelved
from app.engine.photo_file import PhotoFile
from app.registry.sqlite_file import transaction


class SqliteShelf:
    """A row for each state: at most `capacity` in the file, each for `ttl` seconds, the oldest making room."""

    def __init__(self, file: PhotoFile, *, ttl: int, capacity: int) -> None:
        self._file = file
        self._ttl = ttl
        self._capacity = capacity

    async def put(self, image_id: str, shelved: Shelved) -> None:
        """See Shelf."""

        def write(db: sqlite3.Connection) -> None:
            now = time.time()  # processes share it, and restarts go on with it
            with transaction(db, "IMMEDIATE"):
                row = (image_id, shelved.model, now + self._ttl, shelved.data)
                added = db.execute("INSERT INTO states (image_id, model, expires_at, data) VALUES (?, ?, ?, ?)", row)
                oldest = (added.lastrowid or 0) - self._capacity
                db.execute("DELETE FROM states WHERE number <= ? OR expires_at <= ?", (oldest, now))

        await self._file.run(write)

    async def get(self, image_id: str) -> Shelved | None:
        """See Shelf."""

        def read(db: sqlite3.Connection) -> Shelved | None:
            query = "SELECT model, data FROM states WHERE image_id = ? AND expires_at > ?"
            row = db.execute(query, (image_id, time.time())).fetchone()
            return Shelved(row[0], bytes(row[1])) if row else None

        return await self._file.run(read)

    async def close(self) -> None:
        """See Shelf."""
        await self._file.close()
