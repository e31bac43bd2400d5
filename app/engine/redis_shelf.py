"""Where the states of photos lie for all replicas with one Redis. Imported only where Redis is the store."""

from __future__ import annotations

from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.engine.image_states import Shelved
from app.registry.store import StoreUnavailable


class RedisShelf:
    """A key for each state, its model before it; Redis forgets it after `ttl` seconds."""

    def __init__(self, *, client: Redis, ttl: int) -> None:
        self._client = client
        self._ttl = ttl

    async def put(self, image_id: str, shelved: Shelved) -> None:
        """See Shelf."""
        try:
            await self._client.set(self.key(image_id), shelved.model.encode() + b"\0" + shelved.data, ex=self._ttl)
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"Redis: {error}") from error

    async def get(self, image_id: str) -> Shelved | None:
        """See Shelf."""
        try:
            found = cast("bytes | None", await self._client.get(self.key(image_id)))
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"Redis: {error}") from error
        if found is None:
            return None
        model, _, data = found.partition(b"\0")
        return Shelved(model.decode(), data)

    async def close(self) -> None:
        """See Shelf. The client is the store's."""

    def key(self, image_id: str) -> str:
        """Under which a state lies."""
        return f"zs:image:{image_id}"
