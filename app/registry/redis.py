"""Registered classes in Redis: the store of several replicas; every write is one script, so it is atomic."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import NoScriptError, RedisError

from app.registry.redis_client import awaited, separate
from app.registry.redis_records import FIELDS, packed_change, record_of, records_of
from app.registry.store import (
    LOG_LENGTH,
    LOGGED_IDS,
    SETTINGS,
    UNDO_ROWS,
    Act,
    Change,
    ClassRecord,
    Conflict,
    Head,
    LogEntry,
    Page,
    SpaceChange,
    SpaceExists,
    SpaceInfo,
    SpaceMissing,
    StoreRefused,
    StoreUnavailable,
    WriteConflict,
    Written,
    checked,
    gamma_in,
)

SPACES = "zs:spaces"
SCHEMAS = "zs:schemas"
UNDO_BYTES = 64 * 2**20
"""Most bytes of replaced classes that are remembered for one space."""
INLINE = 200
"""Changes sent with the write itself; more are staged first, a few hundred at a time."""
STAGE_SECONDS = 600
BULK_SECONDS = 120.0
BLOCK_SECONDS = 0.5
"""A read of the change streams blocks no longer, so that a dead link is soon noticed."""


class RedisStore:
    """Keys of space s, all with the hash tag {s}, so that they lie in one slot of a cluster:

    zs:{s}:rev, :meta (epoch, state, label, classes, floor), :cls:<id> (a hash a class), :idx (ids by revision),
    :dead (tombstones), :log (the change stream), :undo (what was replaced), :stage:<token> (a bulk write on its way).
    """

    name = "redis"

    def __init__(self, client: Redis, *, log_length: int = LOG_LENGTH, undo_rows: int = UNDO_ROWS) -> None:
        self.client = client
        self._bulk = separate(client, seconds=BULK_SECONDS)
        self._watch = separate(client, seconds=None, more=BLOCK_SECONDS)
        self._log_length = log_length
        self._undo_rows = undo_rows
        self._write = _script("write.lua")
        self._page = _script("page.lua")

    async def write(
        self, space: str, changes: Sequence[Change], act: Act, *, space_change: SpaceChange = "", label: str = ""
    ) -> Written:
        """See ClassStore."""
        packed = [packed_change(change) for change in checked(changes)]
        client = self.client if len(packed) <= INLINE and not space_change else self._bulk
        async with self._staged(space, packed) as (stage, count):
            limits = (self._log_length, self._undo_rows, UNDO_BYTES)
            epoch = secrets.token_hex(8)
            arguments = [_class_key(space, ""), act.at, act.actor, act.operation, epoch, *limits]
            arguments += [space_change, label, count, LOGGED_IDS, *([] if count else packed)]
            keys = [_key(space, part) for part in ("rev", "meta", "idx", "dead", "log", "undo")]
            with _errors():
                await awaited(client.sadd(SPACES, space))
                answer = await self._run(client, self._write, [*keys, stage], arguments)
        return _written(answer)

    async def get(self, space: str, class_id: str) -> ClassRecord | None:
        """See ClassStore."""
        with _errors():
            values = await awaited(self.client.hmget(_class_key(space, class_id), list(FIELDS)))
        record = record_of(values) if any(value is not None for value in values) else None
        return None if record is None or record.deleted else record

    async def head(self, space: str) -> Head:
        """See ClassStore."""
        return (await self.page(space, (0, "~"), 0)).head

    async def page(self, space: str, after: tuple[int, str], limit: int) -> Page:
        """See ClassStore."""
        keys = [_key(space, part) for part in ("rev", "meta", "idx", "log")]
        with _errors():
            answer = await self._run(self.client, self._page, keys, [_class_key(space, ""), *after, limit])
        revision, epoch, token, floor, known, rows = answer
        head = Head(epoch.decode(), int(revision), token.decode())
        return Page(head, int(floor), tuple(map(record_of, rows)), known.decode())

    async def past(self, space: str, revision: int) -> tuple[ClassRecord, ...] | None:
        """See ClassStore."""
        head = await self.head(space)
        if revision > head.revision:
            return None
        with _errors():
            entries = await awaited(self._bulk.xrange(_key(space, "undo"), min=f"{revision + 1}-0"))
        if head.revision > revision and (not entries or _revision(entries[0][0]) != revision + 1):
            return None
        old = [record for _, fields in entries for record in records_of(fields[b"old"])]
        return tuple(record for record in old if record.revision <= revision)

    async def log(self, space: str, before: int | None, limit: int) -> tuple[LogEntry, ...]:
        """See ClassStore."""
        newest = "+" if before is None else f"({before}-0"
        with _errors():
            entries = await awaited(self.client.xrevrange(_key(space, "log"), max=newest, min="-", count=limit))
        return tuple(_log_entry(name, fields) for name, fields in entries)

    async def spaces(self) -> tuple[SpaceInfo, ...]:
        """See ClassStore."""
        with _errors():
            names = sorted(name.decode() for name in await awaited(self.client.smembers(SPACES)))
            pipeline: Pipeline = self.client.pipeline(transaction=False)
            for name in names:
                pipeline.hmget(_key(name, "meta"), ["state", "classes", "label", "created_at"])
                pipeline.get(_key(name, "rev"))
                pipeline.hget(_class_key(name, SETTINGS), "detail")
            answers = iter(await pipeline.execute())
        found = []
        for name, (state, *told), revision, detail in zip(names, answers, answers, answers, strict=False):
            if state == b"active":
                classes, label, created_at = ((value or b"").decode() for value in told)
                gamma = gamma_in(detail or b"{}")
                found.append(SpaceInfo(name, int(revision or 0), int(classes or 0), label, created_at, gamma))
        return tuple(found)

    async def wait(self, known: Mapping[str, int], seconds: float) -> Collection[str]:
        """See ClassStore: a blocking read of the change streams, on a connection of its own."""
        streams = {_key(space, "log"): f"{revision}-0" for space, revision in known.items()}
        block = round(1000 * min(seconds, BLOCK_SECONDS))
        try:
            with _errors():
                answer = await awaited(self._watch.xread(streams, count=1, block=max(1, block)))  # type: ignore[arg-type]
        except StoreUnavailable:
            await self._forget_connections()
            raise
        return {name.decode().removeprefix("zs:{").removesuffix("}:log") for name, _ in answer or ()}

    async def remember_schema(self, fingerprint: str, schema_json: str) -> None:
        """See ClassStore."""
        with _errors():
            await awaited(self.client.hsetnx(SCHEMAS, fingerprint, schema_json))

    async def schema_json(self, fingerprint: str) -> str | None:
        """See ClassStore."""
        with _errors():
            found = await awaited(self.client.hget(SCHEMAS, fingerprint))
        return None if found is None else str(found.decode())

    async def ping(self) -> None:
        """See ClassStore."""
        with _errors():
            await awaited(self.client.ping())

    async def close(self) -> None:
        """See ClassStore."""
        for client in (self._watch, self._bulk, self.client):
            await client.aclose()

    async def _forget_connections(self) -> None:
        """Idle connections of a link that died would each cost a timeout of their own."""
        for client in (self.client, self._bulk, self._watch):
            await client.connection_pool.disconnect(inuse_connections=False)

    async def _run(self, client: Redis, script: tuple[str, str], keys: list[str], arguments: list[Any]) -> Any:
        """Run a script by its checksum; Redis is told it when it does not know it (any more)."""
        text, checksum = script
        try:
            return await awaited(client.evalsha(checksum, len(keys), *keys, *arguments))
        except NoScriptError:
            return await awaited(client.eval(text, len(keys), *keys, *arguments))

    @asynccontextmanager
    async def _staged(self, space: str, packed: list[bytes]) -> AsyncIterator[tuple[str, int]]:
        """The stage's key and how many changes lie on it: 0 when they are few enough to come with the write."""
        stage = _key(space, f"stage:{secrets.token_hex(8)}")
        if len(packed) <= INLINE:
            yield stage, 0
            return
        try:
            with _errors():
                for start in range(0, len(packed), INLINE):
                    await awaited(self._bulk.rpush(stage, *packed[start : start + INLINE]))
                    await awaited(self._bulk.expire(stage, STAGE_SECONDS))
            yield stage, len(packed)
        except BaseException:
            with suppressed():
                await awaited(self._bulk.unlink(stage))
            raise


@contextmanager
def _errors() -> Iterator[None]:
    """Redis's errors as the store's."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"Redis: {type(error).__name__}: {error}") from error


@contextmanager
def suppressed() -> Iterator[None]:
    """Redis's errors as nothing, where a failure was reported already."""
    try:
        yield
    except (RedisError, OSError, TimeoutError):
        return


def _script(name: str) -> tuple[str, str]:
    """A script's text and its checksum."""
    text = files("app.registry").joinpath("lua", name).read_text(encoding="utf-8")
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _written(answer: list[Any]) -> Written:
    kind, *rest = answer
    if kind == b"ok":
        return Written(int(rest[0]), int(rest[1]))
    if kind == b"conflict":
        triples = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
        raise WriteConflict([Conflict(int(place), name.decode(), int(found)) for place, name, found in triples])
    if kind == b"exists":
        raise SpaceExists
    if kind == b"missing":
        raise SpaceMissing
    if kind == b"torn":
        raise StoreRefused("Redis: the revision lies behind the log; keys were lost, restore its data from a backup")
    raise StoreUnavailable("Redis: the staged classes were lost before they were written; send them again")


def _log_entry(name: bytes, fields: dict[bytes, bytes]) -> LogEntry:
    text = {key.decode(): value.decode() for key, value in fields.items()}
    ids = tuple(text.get("ids", text.get("id", "")).split())
    return LogEntry(
        revision=_revision(name),
        at=text.get("at", ""),
        actor=text.get("actor", ""),
        operation=text.get("op", ""),
        count=int(text.get("count", len(ids))),
        ids=ids,
    )


def _revision(name: bytes) -> int:
    """The revision in the id of a stream entry, ``b"41-0"``."""
    return int(name.partition(b"-")[0])


def _key(space: str, part: str) -> str:
    return f"zs:{{{space}}}:{part}"


def _class_key(space: str, class_id: str) -> str:
    return f"zs:{{{space}}}:cls:{class_id}"
