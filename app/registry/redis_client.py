"""Clients of Redis that fail at once instead of retrying; redis-py's defaults wait for seconds."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


def connect(url: str, *, timeout: float) -> Redis:
    """A client with a bounded pool that waits `timeout` seconds for anything."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=16,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        decode_responses=False,
    )
    return Redis.from_pool(pool)


def separate(client: Redis, *, seconds: float | None, more: float = 0.0) -> Redis:
    """Connections of its own to the same server, which wait `seconds` for an answer (None: as `client`) and `more`."""
    pool = client.connection_pool
    known = dict(pool.connection_kwargs)
    wait = (known["socket_timeout"] if seconds is None else seconds) + more
    chosen = known | {"socket_timeout": wait}
    timeout = known["socket_connect_timeout"]
    return Redis.from_pool(
        BlockingConnectionPool(
            connection_class=pool.connection_class, max_connections=4, timeout=max(timeout, wait), **chosen
        )
    )


async def awaited(answer: Any) -> Any:
    """redis-py types some commands as "a value or an awaitable"; its asyncio client always gives the awaitable."""
    return await cast("Awaitable[Any]", answer)
