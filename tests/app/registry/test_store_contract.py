"""What every class store does, checked on SQLite and on a real Redis."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.registry import redis as redis_module
from app.registry import sqlite as sqlite_module
from app.registry.redis import RedisStore, connect
from app.registry.sqlite import SqliteStore
from app.registry.store import ClassExists, ClassMissing, ClassRecord, ClassStore, Space
from tests.redis_process import RedisProcess

OpenStore = Callable[[], SqliteStore | RedisStore]
numbers = itertools.count()


@pytest.fixture(params=["sqlite", "redis"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    """Opens the same store anew each time it is called, as another process would."""
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "classes.sqlite", timeout=10.0)
    server: RedisProcess = request.getfixturevalue("redis_server")
    return lambda: RedisStore(connect(server.url, timeout=5.0))


@pytest.fixture
def space() -> str:
    """A class space no other test uses."""
    return f"space-{next(numbers)}"


def make(class_id: str = "painted-bunting", **changes: Any) -> ClassRecord:
    degrees = np.array([0.25, 0.0, 1.0], dtype="<f4").tobytes()
    record = ClassRecord(id=class_id, label="Bünting", kind="prompt", degrees=degrees, schema="abc", detail={"n": [1]})
    return dataclasses.replace(record, **changes)


def run(open_store: OpenStore, work: Callable[[ClassStore], Awaitable[None]]) -> None:
    async def main() -> None:
        store = open_store()
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(main())


def test_what_is_put_comes_back(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        assert await store.revision(space) == 0
        assert await store.load(space) == Space(0, ())
        assert await store.put(space, make()) == 1
        stored = await store.get(space, "painted-bunting")
        assert stored == make(created_at=stored.created_at if stored else "", revision=1)
        assert stored is not None
        assert stored.vector().tolist() == [0.25, 0.0, 1.0]
        assert await store.load(space) == Space(1, (stored,))
        assert await store.get(space, "other") is None
        await store.ping()

    run(open_store, work)


def test_a_second_put_of_an_id_is_refused_and_changes_nothing(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        await store.put(space, make())
        before = await store.load(space)
        with pytest.raises(ClassExists):
            await store.put(space, make(label="Another"))
        assert await store.load(space) == before

    run(open_store, work)


def test_delete(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        with pytest.raises(ClassMissing):
            await store.delete(space, "painted-bunting")
        assert await store.revision(space) == 0
        await store.put(space, make())
        assert await store.delete(space, "painted-bunting") == 2
        assert await store.load(space) == Space(2, ())
        assert await store.put(space, make()) == 3

    run(open_store, work)


def test_spaces_are_apart(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        await store.put(space, make())
        assert await store.put(space + "-b", make()) == 1
        await store.delete(space + "-b", "painted-bunting")
        assert len((await store.load(space)).records) == 1

    run(open_store, work)


def test_classes_outlive_the_process(open_store: OpenStore, space: str) -> None:
    async def write(store: ClassStore) -> None:
        await store.put(space, make())

    async def read(store: ClassStore) -> None:
        loaded = await store.load(space)
        assert (loaded.revision, loaded.records[0].label) == (1, "Bünting")

    run(open_store, write)
    run(open_store, read)


def test_changes_since_a_revision(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        for name in ("a", "b", "c"):
            await store.put(space, make(name))
        await store.delete(space, "a")
        await store.delete(space, "c")
        await store.put(space, make("c", label="again"))
        changes = await store.changes(space, 1)
        assert changes is not None
        assert changes.revision == 6
        assert [(record.id, record.revision) for record in changes.stored] == [("b", 2), ("c", 6)]
        assert changes.deleted == {"a", "c"}
        nothing = await store.changes(space, 6)
        assert nothing is not None
        assert (nothing.revision, nothing.stored, nothing.deleted) == (6, (), frozenset())

    run(open_store, work)


def test_a_revision_of_the_future_cannot_be_followed(open_store: OpenStore, space: str) -> None:
    """So a replica that outlived its store loads the space anew."""

    async def work(store: ClassStore) -> None:
        await store.put(space, make())
        assert await store.changes(space, 5) is None

    run(open_store, work)


def test_too_far_behind_for_the_log(open_store: OpenStore, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, "LOG_LENGTH", 20)
    monkeypatch.setattr(redis_module, "LOG_LENGTH", 200)

    async def work(store: ClassStore) -> None:
        for number in range(30):
            await store.put(space, make(f"bird-{number}"))
        assert await store.changes(space, 1) is None
        recent = await store.changes(space, 25)
        assert recent is not None
        assert [record.id for record in recent.stored] == [f"bird-{number}" for number in range(25, 30)]

    run(open_store, work)


def test_writers_at_once_lose_no_revision(open_store: OpenStore, space: str) -> None:
    """Four connections write the same ids: each id is stored once, and every write has a revision of its own."""

    async def writer(store: ClassStore) -> list[int]:
        revisions = []
        for number in range(15):
            try:
                revisions.append(await store.put(space, make(f"bird-{number}")))
            except ClassExists:
                continue
        return revisions

    async def main() -> None:
        stores = [open_store() for _ in range(4)]
        revisions = await asyncio.gather(*(writer(store) for store in stores))
        assert sorted(itertools.chain(*revisions)) == list(range(1, 16))
        loaded = await stores[0].load(space)
        assert [record.revision for record in loaded.records] == list(range(1, 16))
        for store in stores:
            await store.close()

    asyncio.run(main())


def test_a_load_while_others_write_is_one_moment(open_store: OpenStore, space: str) -> None:
    """Classes are only added here, so a load at revision n holds exactly the first n."""

    async def write(store: ClassStore) -> None:
        for number in range(60):
            await store.put(space, make(f"bird-{number:02}"))

    async def main() -> None:
        writer, reader = open_store(), open_store()
        writing = asyncio.create_task(write(writer))
        while not writing.done():
            loaded = await reader.load(space)
            assert [record.id for record in loaded.records] == [f"bird-{n:02}" for n in range(loaded.revision)]
            await asyncio.sleep(0)
        await writing
        await writer.close()
        await reader.close()

    asyncio.run(main())


OPERATIONS = st.lists(st.tuples(st.sampled_from(["put", "delete", "note"]), st.sampled_from("abcd")), max_size=25)


@given(operations=OPERATIONS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_agrees_with_a_dictionary(
    open_store: OpenStore, space: str, operations: list[tuple[str, str]]
) -> None:
    """A plain dict is the model; a follower that applies `changes` from any noted moment must arrive at it."""

    async def work(store: ClassStore) -> None:
        name = f"{space}-{next(numbers)}"
        model: dict[str, int] = {}
        noted: list[tuple[int, dict[str, int]]] = [(0, {})]
        revision = 0
        for operation, class_id in operations:
            if operation == "note":
                noted.append((revision, dict(model)))
            elif operation == "put" and class_id not in model:
                revision += 1
                assert await store.put(name, make(class_id)) == revision
                model[class_id] = revision
            elif operation == "delete" and class_id in model:
                revision += 1
                assert await store.delete(name, class_id) == revision
                del model[class_id]
            else:
                with pytest.raises((ClassExists, ClassMissing)):
                    await (store.put(name, make(class_id)) if operation == "put" else store.delete(name, class_id))
        loaded = await store.load(name)
        assert loaded.revision == await store.revision(name) == revision
        assert {record.id: record.revision for record in loaded.records} == model
        for since, view in noted:
            changes = await store.changes(name, since)
            assert changes is not None
            after = {key: value for key, value in view.items() if key not in changes.deleted}
            assert after | {record.id: record.revision for record in changes.stored} == model

    run(open_store, work)
