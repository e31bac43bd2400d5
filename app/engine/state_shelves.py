"""Where the states of photos lie for all processes: in Redis, or in a SQLite file."""

from __future__ import annotations

import sqlite3
import time
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.engine.photo_file import PhotoFile
from app.registry.sqlite_file import transaction
from app.registry.store import StoreUnavailable


class RedisShelf:
    """A key for each state; Redis forgets it after `ttl` seconds."""

    def __init__(self, *, client: Redis, ttl: int, model_id: str) -> None:
        self._client = client
        self._ttl = ttl
        self._model_id = model_id

    async def put(self, image_id: str, data: bytes) -> None:
        """See Shelf."""
        try:
            await self._client.set(self.key(image_id), data, ex=self._ttl)
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"Redis: {error}") from error

    async def get(self, image_id: str) -> bytes | None:
        """See Shelf."""
        try:
            return cast("bytes | None", await self._client.get(self.key(image_id)))
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"Redis: {error}") from error

    async def close(self) -> None:
        """See Shelf. The client is the store's."""

    def key(self, image_id: str) -> str:
        """Under which a state lies."""
        return f"zs:image:{self._model_id}:{image_id}"


class SqliteShelf:
    """A row for each state: at most `capacity` in the file, each for `ttl` seconds, the oldest making room."""

    def __init__(self, file: PhotoFile, *, ttl: int, capacity: int, model_id: str) -> None:
        self._file = file
        self._ttl = ttl
        self._capacity = capacity
        self._model_id = model_id

    async def put(self, image_id: str, data: bytes) -> None:
        """See Shelf."""

        def write(db: sqlite3.Connection) -> None:
            now = time.time()  # processes share it, and restarts go on with it
            with transaction(db, "IMMEDIATE"):
                row = (image_id, self._model_id, now + self._ttl, data)
                added = db.execute("INSERT INTO states (image_id, model, expires_at, data) VALUES (?, ?, ?, ?)", row)
                oldest = (added.lastrowid or 0) - self._capacity
                db.execute("DELETE FROM states WHERE number <= ? OR expires_at <= ?", (oldest, now))

        await self._file.run(write)

    async def get(self, image_id: str) -> bytes | None:
        """See Shelf."""

        def read(db: sqlite3.Connection) -> bytes | None:
            query = "SELECT data FROM states WHERE image_id = ? AND model = ? AND expires_at > ?"
            row = db.execute(query, (image_id, self._model_id, time.time())).fetchone()
            return bytes(row[0]) if row else None

        return await self._file.run(read)

    async def close(self) -> None:
        """See Shelf."""
        await self._file.close()
