"""Labelled photos in Redis, for all replicas. Imported only where Redis is the store: its client takes long to load."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Sequence
from typing import Any

import numpy as np
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.engine.labelled import MOST_SPACES, Labelled
from app.registry.store import StoreUnavailable


class RedisLabelledPhotos:
    """Shared by all replicas through Redis. When Redis is away the copy read last is used."""

    shared = True
    patience = 0.5

    def __init__(self, *, client: Redis, model_id: str) -> None:
        self._client = client
        self._model_id = model_id
        self._copies: OrderedDict[str, tuple[bytes, Labelled]] = OrderedDict()

    async def find(self, space: str) -> Labelled | None:
        """See LabelledPhotos. A few bytes are asked for each time, the photos only when they are others."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(self.patience):
                return await self._newest(space)
        copy = self._copies.get(space)
        return None if copy is None else copy[1]

    async def _newest(self, space: str) -> Labelled | None:
        head, photos, copy = *self._keys(space), self._copies.get(space)
        if copy is not None and await _awaited(self._client.hget(head, "stamp")) == copy[0]:
            return copy[1]
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.hmget(head, ["stamp", "revision"])
            pipe.lrange(photos, 0, -1)
            (stamp, revision), rows = await pipe.execute()
        if stamp is None or not rows:
            self._copies.pop(space, None)
            return None
        self._copies[space] = (stamp, _unpacked(int(revision), rows))
        while len(self._copies) > MOST_SPACES:
            self._copies.popitem(last=False)
        return self._copies[space][1]

    async def keep(self, space: str, labelled: Labelled, *, append: bool) -> None:
        """See LabelledPhotos. One transaction: two replicas that add at the same moment lose nothing."""
        head, photos = self._keys(space)
        try:
            async with self._client.pipeline(transaction=True) as pipe:
                if not append:
                    pipe.delete(head, photos)
                pipe.rpush(photos, *_packed(labelled))
                pipe.hsetnx(head, "revision", str(labelled.revision))
                pipe.hset(head, "stamp", np.random.default_rng().bytes(12))
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"labelled photos of space {space}: {error}") from error

    async def forget(self, space: str) -> None:
        """See LabelledPhotos."""
        try:
            await self._client.delete(*self._keys(space))
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"labelled photos of space {space}: {error}") from error

    async def close(self) -> None:
        """See LabelledPhotos. The client is the store's."""

    def _keys(self, space: str) -> tuple[str, str]:
        base = f"zs:{{{space}}}:labelled:{self._model_id}"
        return base, f"{base}:photos"


def _packed(labelled: Labelled) -> list[bytes]:
    """Each photo: its class in ASCII, a zero byte, v little-endian."""
    rows = labelled.v.astype("<f4")
    return [name.encode() + b"\0" + row.tobytes() for name, row in zip(labelled.class_ids, rows, strict=True)]


def _unpacked(revision: int, rows: Sequence[bytes]) -> Labelled:
    parts = [row.partition(b"\0") for row in rows]
    v = np.stack([np.frombuffer(values, dtype="<f4").astype(np.float32) for _, _, values in parts])
    return Labelled(revision, v, tuple(name.decode() for name, _, _ in parts))


async def _awaited(answer: Awaitable[Any] | Any) -> Any:
    """redis-py types one method for both of its clients."""
    return await answer
