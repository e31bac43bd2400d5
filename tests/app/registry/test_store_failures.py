"""How the stores fail: quickly, by name, and with nothing half-written."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from app.registry.opening import open_store
from app.registry.redis import RedisStore, connect
from app.registry.sqlite import SqliteStore
from app.registry.store import ClassRecord, StoreRefused, StoreUnavailable
from app.settings import Settings
from tests.redis_process import RedisProcess, free_port

RECORD = ClassRecord(id="a", label="A", kind="vector", degrees=b"\0\0\x80?", schema="s")


def test_redis_that_is_not_there_fails_at_once() -> None:
    async def main() -> float:
        store = RedisStore(connect(f"redis://127.0.0.1:{free_port()}/0", timeout=1.0))
        start = time.monotonic()
        with pytest.raises(StoreUnavailable, match="Redis: ConnectionError"):
            await store.put("default", RECORD)
        await store.close()
        return time.monotonic() - start

    assert asyncio.run(main()) < 2


def test_redis_that_hangs_fails_at_the_timeout(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path)
    server.start()

    async def main() -> None:
        store = RedisStore(connect(server.url, timeout=0.2))
        await store.ping()
        server.pause()
        with pytest.raises(StoreUnavailable, match="Timeout"):
            await store.revision("default")
        server.resume()
        assert await store.revision("default") == 0
        await store.close()

    try:
        asyncio.run(main())
    finally:
        server.kill()


def test_redis_back_after_a_crash_is_used_again(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path, append_only=True)
    server.start()

    async def main() -> None:
        store = RedisStore(connect(server.url, timeout=2.0))
        assert await store.put("default", RECORD) == 1
        server.kill()
        with pytest.raises(StoreUnavailable):
            await store.delete("default", "a")
        server.start()
        assert (await store.load("default")).revision == 1
        assert await store.delete("default", "a") == 2
        await store.close()

    try:
        asyncio.run(main())
    finally:
        server.kill()


def test_foreign_keys_in_redis_are_refused(redis_server: RedisProcess) -> None:
    async def main() -> None:
        store = RedisStore(connect(redis_server.url, timeout=2.0))
        await store.client.hset("zs:{foreign}:cls:a", "id", "a")
        with pytest.raises(StoreRefused, match="without label"):
            await store.get("foreign", "a")
        await store.close()

    asyncio.run(main())


def test_a_locked_sqlite_file_is_unavailable_and_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "classes.sqlite"

    async def main() -> None:
        store = SqliteStore(path, timeout=0.1)
        await store.put("default", RECORD)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.delete("default", "a")
        assert (await store.load("default")).revision == 1
        other.execute("ROLLBACK")
        other.close()
        assert await store.delete("default", "a") == 2
        await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("content", ["text", "other tables", "newer format"])
def test_a_foreign_sqlite_file_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "classes.sqlite"
    if content == "text":
        path.write_text("birds " * 300)
    else:
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE mine (x)" if content == "other tables" else "PRAGMA user_version = 99")
        other.close()
    before = path.read_bytes()

    async def main() -> None:
        store = SqliteStore(path)
        with pytest.raises(StoreRefused, match="DUET_STORE"):
            await store.ping()
        await store.close()

    asyncio.run(main())
    if content == "text":
        assert path.read_bytes() == before


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "no" / "classes.sqlite")
        with pytest.raises(StoreRefused, match="folder does not exist"):
            await store.ping()
        await store.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:///a/b.sqlite", "a/b.sqlite"), ("sqlite:////a.sqlite", "/a.sqlite")]
)
def test_relative_and_absolute_sqlite_paths(url: str, path: str) -> None:
    store = open_store(Settings(store=url))
    assert isinstance(store, SqliteStore)
    assert store._path == Path(path)
    asyncio.run(store.close())
