"""Registered classes in Redis: the store of several replicas; every write is one script, so it is atomic."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

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

FIELDS = ("id", "label", "kind", "degrees", "schema", "detail", "created_at", "rev")
PAGE = 500
"""Classes read in one round trip."""

PUT = """
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local rev = redis.call('INCR', KEYS[1])
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[1], rev .. '-0', 'op', 'put', 'id', ARGV[2])
redis.call('HSET', KEYS[2], 'id', ARGV[2], 'label', ARGV[3], 'kind', ARGV[4], 'degrees', ARGV[5],
           'schema', ARGV[6], 'detail', ARGV[7], 'created_at', ARGV[8], 'rev', rev)
redis.call('ZADD', KEYS[3], rev, ARGV[2])
return rev
"""
DELETE = """
if redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local rev = redis.call('INCR', KEYS[1])
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[1], rev .. '-0', 'op', 'delete', 'id', ARGV[2])
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[2])
return rev
"""
CHANGES = """
local rev = tonumber(redis.call('GET', KEYS[1]) or '0')
local since = tonumber(ARGV[1])
if since > rev or rev - since > tonumber(ARGV[2]) then return {rev, false} end
local entries = redis.call('XRANGE', KEYS[3], (since + 1) .. '-0', '+')
if #entries ~= rev - since then return {rev, false} end
local stored = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. since, '+inf')) do
  stored[#stored + 1] = redis.call('HGETALL', ARGV[3] .. id)
end
local deleted = {}
for _, entry in ipairs(entries) do
  if entry[2][2] == 'delete' then deleted[#deleted + 1] = entry[2][4] end
end
return {rev, stored, deleted}
"""
"""Reads keys it was not given, all of the space's hash tag, so they lie in the same cluster slot."""


def connect(url: str, *, timeout: float) -> Redis:
    """A client that fails at once instead of retrying, with a bounded pool; redis-py's defaults wait for seconds."""
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


class RedisStore:
    """Keys of space s, all with the hash tag {s}: zs:{s}:rev, zs:{s}:cls:<id>, zs:{s}:idx (by revision), zs:{s}:log."""

    name = "redis"

    def __init__(self, client: Redis) -> None:
        self.client = client
        self._put = client.register_script(PUT)
        self._delete = client.register_script(DELETE)
        self._changes = client.register_script(CHANGES)

    async def put(self, space: str, record: ClassRecord) -> int:
        """See ClassStore."""
        values: list[str | bytes | int] = [LOG_LENGTH, record.id, record.label, record.kind, record.degrees]
        values += [record.schema, record.detail_json, record.created_at]
        with _errors():
            revision = await self._put(keys=_keys(space, record.id), args=values)
        if not revision:
            raise ClassExists(record.id)
        return int(revision)

    async def get(self, space: str, class_id: str) -> ClassRecord | None:
        """See ClassStore."""
        with _errors():
            fields = await _awaited(self.client.hgetall(_class_key(space, class_id)))
        return _record(fields) if fields else None

    async def delete(self, space: str, class_id: str) -> int:
        """See ClassStore."""
        with _errors():
            revision = await self._delete(keys=_keys(space, class_id), args=[LOG_LENGTH, class_id])
        if not revision:
            raise ClassMissing(class_id)
        return int(revision)

    async def revision(self, space: str) -> int:
        """See ClassStore."""
        with _errors():
            return int(await self.client.get(f"zs:{{{space}}}:rev") or 0)

    async def load(self, space: str) -> Space:
        """See ClassStore. Reads in pages, then catches up with what was written meanwhile.

        Whatever the pages missed or caught halfway lies after `before`, so the changes since then put it right.
        """
        while True:
            before = await self.revision(space)
            found = {record.id: record async for record in self._pages(space)}
            changes = await self.changes(space, before)
            if changes is None:
                continue  # written faster than read, or emptied meanwhile: once more
            for class_id in changes.deleted:
                found.pop(class_id, None)
            found |= {record.id: record for record in changes.stored}
            return Space(changes.revision, tuple(sorted(found.values(), key=lambda record: record.revision)))

    async def changes(self, space: str, since: int) -> Changes | None:
        """See ClassStore."""
        rev, index, log = (f"zs:{{{space}}}:{part}" for part in ("rev", "idx", "log"))
        with _errors():
            revision, stored, *deleted = await self._changes(
                keys=[rev, index, log], args=[since, LOG_LENGTH // 10, _class_key(space, "")]
            )
        if stored is None:
            return None
        records = tuple(_record(dict(zip(flat[::2], flat[1::2], strict=True))) for flat in stored)
        return Changes(int(revision), records, frozenset(name.decode() for name in deleted[0]))

    async def ping(self) -> None:
        """See ClassStore."""
        with _errors():
            await _awaited(self.client.ping())

    async def close(self) -> None:
        """See ClassStore."""
        await self.client.aclose()

    async def _pages(self, space: str) -> Any:
        with _errors():
            ids = cast("Sequence[bytes]", await self.client.zrange(f"zs:{{{space}}}:idx", 0, -1))
        for start in range(0, len(ids), PAGE):
            pipeline = self.client.pipeline(transaction=False)
            for class_id in ids[start : start + PAGE]:
                pipeline.hgetall(_class_key(space, class_id.decode()))
            with _errors():
                pages = await pipeline.execute()
            for fields in filter(None, pages):  # one deleted since `zrange` is empty
                yield _record(fields)


@contextmanager
def _errors() -> Iterator[None]:
    """Redis's errors as the store's."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"Redis: {type(error).__name__}: {error}") from error


def _class_key(space: str, class_id: str) -> str:
    return f"zs:{{{space}}}:cls:{class_id}"


def _keys(space: str, class_id: str) -> list[str]:
    tag = f"zs:{{{space}}}"
    return [f"{tag}:rev", _class_key(space, class_id), f"{tag}:idx", f"{tag}:log"]


async def _awaited(answer: Any) -> Any:
    """redis-py types some commands as "a value or an awaitable"; its asyncio client always gives the awaitable."""
    return await cast("Awaitable[Any]", answer)


def _record(fields: dict[bytes, bytes]) -> ClassRecord:
    missing = [name for name in FIELDS if name.encode() not in fields]
    if missing:
        raise StoreRefused(f"Redis holds a class without {', '.join(missing)}; its keys were written by something else")
    text = {name: fields[name.encode()].decode() for name in FIELDS if name != "degrees"}
    return ClassRecord(
        id=text["id"],
        label=text["label"],
        kind=cast("Any", text["kind"]),
        degrees=fields[b"degrees"],
        schema=text["schema"],
        detail=json.loads(text["detail"]),
        created_at=text["created_at"],
        revision=int(text["rev"]),
    )
