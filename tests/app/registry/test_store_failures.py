"""How the stores fail: quickly, by name, and with nothing half-written."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from app.registry.opening import open_copies, open_store
from app.registry.reading import read_since
from app.registry.redis import RedisStore
from app.registry.redis_client import connect
from app.registry.sqlite import SqliteStore
from app.registry.sqlite_file import DISK_FULL, open_file, transaction, unavailable
from app.registry.store import ClassRecord, StoreCannotWrite, StoreRefused, StoreUnavailable
from app.settings import Settings
from tests.app.registry.stores import contents, drop, put
from tests.redis_process import RedisProcess, free_port


def test_redis_that_is_not_there_fails_at_once() -> None:
    async def main() -> float:
        store = RedisStore(connect(f"redis://127.0.0.1:{free_port()}/0", timeout=1.0))
        start = time.monotonic()
        with pytest.raises(StoreUnavailable, match="Redis: ConnectionError"):
            await put(store, "default", "a")
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
            await store.head("default")
        server.resume()
        assert (await store.head("default")).revision == 0
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
        assert await put(store, "default", "a") == 1
        server.kill()
        with pytest.raises(StoreUnavailable):
            await drop(store, "default", "a")
        server.start()
        assert await contents(store, "default") == (1, {"a": 1})
        assert await drop(store, "default", "a") == 2
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
        await put(store, "default", "a")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await drop(store, "default", "a")
        assert await contents(store, "default") == (1, {"a": 1})
        other.execute("ROLLBACK")
        other.close()
        assert await drop(store, "default", "a") == 2
        await store.close()

    asyncio.run(main())


def test_a_full_sqlite_file_says_so_and_stays_whole(tmp_path: Path) -> None:
    """A page limit is to SQLite what a full disk is; it rolls back by itself, which must not hide why."""
    path = tmp_path / "classes.sqlite"
    db = open_file(path, 1.0)
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    rows = [(str(number), "x" * 4096) for number in range(1000)]
    with pytest.raises(sqlite3.OperationalError, match="full") as caught, transaction(db, "IMMEDIATE"):
        db.executemany("INSERT INTO schemas VALUES (?, ?)", rows)
    told = unavailable(caught.value, path)
    assert isinstance(told, StoreCannotWrite)
    assert told.reason == DISK_FULL
    assert db.execute("SELECT count(*) FROM schemas").fetchone()[0] == 0
    db.close()


def test_a_lock_is_not_taken_for_a_full_or_read_only_disk(tmp_path: Path) -> None:
    error = sqlite3.OperationalError("database is locked")
    assert not isinstance(unavailable(error, tmp_path / "classes.sqlite"), StoreCannotWrite)


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
    assert store.path == Path(path)
    asyncio.run(store.close())


def test_a_file_of_the_first_format_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "classes.sqlite"
    old = sqlite3.connect(path)
    old.executescript("""
        CREATE TABLE spaces (space TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE classes (
            space TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, label TEXT NOT NULL, kind TEXT NOT NULL,
            degrees BLOB NOT NULL, schema TEXT NOT NULL, detail TEXT NOT NULL, created_at TEXT NOT NULL,
            PRIMARY KEY (space, id)
        );
        CREATE UNIQUE INDEX classes_by_revision ON classes (space, revision);
        CREATE TABLE log (
            space TEXT NOT NULL, revision INTEGER NOT NULL, operation TEXT NOT NULL, id TEXT NOT NULL,
            PRIMARY KEY (space, revision)
        ) WITHOUT ROWID;
        INSERT INTO spaces VALUES ('default', 3);
        INSERT INTO classes VALUES ('default', 'b', 3, 'B', 'prompt', x'0000803f', 's', '{"prompt": "b"}', 'then');
        INSERT INTO log VALUES ('default', 1, 'put', 'a'), ('default', 2, 'delete', 'a'), ('default', 3, 'put', 'b');
        PRAGMA user_version = 1;
    """)
    old.close()

    async def main() -> None:
        for _ in range(2):  # the second time it is of this format
            store = SqliteStore(path)
            assert await contents(store, "default") == (3, {"b": 3})
            record = await store.get("default", "b")
            assert record is not None
            assert (record.label, record.version, record.detail) == ("B", 1, {"prompt": "b"})
            assert [entry.operation for entry in await store.log("default", None, 5)] == ["put", "delete", "put"]
            assert [(info.name, info.classes) for info in await store.spaces()] == [("default", 1)]
            await store.close()
        store = SqliteStore(path)
        assert await put(store, "default", "a") == 4
        await store.close()

    asyncio.run(main())


def test_classes_of_a_redis_before_tombstones_are_read(redis_server: RedisProcess) -> None:
    async def main() -> None:
        store = RedisStore(connect(redis_server.url, timeout=2.0))
        old: dict[str | bytes, str | bytes | int] = {
            "id": "b",
            "label": "B",
            "kind": "vector",
            "degrees": b"\0\0\x80?",
            "schema": "s",
            "detail": "{}",
        }
        await store.client.set("zs:{before}:rev", 3)
        await store.client.hset("zs:{before}:cls:b", mapping=old | {"created_at": "then", "rev": 3})  # type: ignore[arg-type]
        await store.client.zadd("zs:{before}:idx", {"b": 3})
        for number, operation in enumerate(("put", "delete", "put"), start=1):
            await store.client.xadd("zs:{before}:log", {"op": operation, "id": "a"}, id=f"{number}-0")
        assert await contents(store, "before") == (3, {"b": 3})
        assert await put(store, "before", "c") == 4
        assert await put(store, "before", "b", expect=3) == 5
        assert (await store.page("before", (0, "~"), 10)).floor == 3
        assert [info.classes for info in await store.spaces() if info.name == "before"] == [2]
        assert [entry.operation for entry in await store.log("before", 4, 1)] == ["put"]
        await store.close()

    asyncio.run(main())


def test_a_redis_that_lost_its_revision_is_not_written_to(redis_server: RedisProcess) -> None:
    async def main() -> None:
        store = RedisStore(connect(redis_server.url, timeout=2.0))
        await put(store, "torn", "a")
        await store.client.delete("zs:{torn}:rev")
        with pytest.raises(StoreRefused, match="behind the log"):
            await put(store, "torn", "b")
        assert await store.get("torn", "b") is None
        await store.close()

    asyncio.run(main())


def test_copies_of_different_stores_lie_apart_and_sqlite_has_none(tmp_path: Path) -> None:
    def folder(store: str, schema: str = "abc") -> Path | None:
        copies = open_copies(Settings(store=store, snapshots=tmp_path), schema)
        return copies.folder if copies else None

    one = folder("redis://:secret@cache:6379/0")
    assert one is not None
    assert one.parent.parent == tmp_path
    assert one != folder("redis://:secret@cache:6379/0", "def")
    assert one == folder("redis://:rotated@cache")
    assert len({one, folder("redis://cache:6380/0"), folder("redis://cache/1"), folder("redis://other/0")}) == 4
    assert folder("sqlite:///classes.sqlite") is None
    assert open_copies(Settings(store="redis://cache", snapshots=None), "abc") is None


def test_a_redis_that_lost_its_last_writes_is_not_followed_from_them(tmp_path: Path) -> None:
    """As after a crash with `appendfsync everysec`: the revisions lost are given again, to other classes."""
    folder, saved = tmp_path / "redis", tmp_path / "saved"
    folder.mkdir()
    server = RedisProcess(folder, append_only=True)
    server.start()

    async def ignore(records: list[ClassRecord]) -> None:
        """Only where it ends matters."""

    async def main() -> None:
        store = RedisStore(connect(server.url, timeout=2.0))
        await put(store, "default", "a")
        kept = await store.head("default")
        shutil.copytree(folder, saved)
        await put(store, "default", "lost")
        lost = await store.head("default")
        server.kill()
        shutil.rmtree(folder)
        shutil.copytree(saved, folder)
        server.start()
        await store.close()
        store = RedisStore(connect(server.url, timeout=2.0))
        assert await read_since(store, "default", lost, ignore) is None
        for name in ("b", "c"):
            await put(store, "default", name)
            assert await read_since(store, "default", lost, ignore) is None
        assert await read_since(store, "default", kept, ignore) == await store.head("default")
        await store.close()

    try:
        asyncio.run(main())
    finally:
        server.kill()
