"""Where the states of photos lie for all replicas with one Redis. Imported only where Redis is the store."""

from __future__ import annotations

from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

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
