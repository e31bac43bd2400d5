"""What every class store does, checked on SQLite and on a real Redis: writes and reads."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.registry.reading import read_all, read_since
from app.registry.store import (
    ABSENT,
    ANY,
    PRESENT,
    Act,
    Change,
    ClassRecord,
    ClassStore,
    Conflict,
    Drop,
    Head,
    Put,
    WriteConflict,
    Written,
)
from tests.app.registry.stores import ACT, OpenStore, contents, drop, make, put, run

numbers = itertools.count()


def test_what_is_put_comes_back(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        assert await store.head(space) == Head()
        assert await read_all(store, space) == (Head(), [])
        record = make(expires_at=1234567890.25)
        assert await store.write(space, [Put(record)], ACT) == Written(1, 1)
        stored = await store.get(space, "painted-bunting")
        times = {"created_at": ACT.at, "updated_at": ACT.at}
        assert stored == make(expires_at=1234567890.25, version=1, revision=1, **times)
        assert stored is not None
        assert stored.vector().tolist() == [0.25, 0.0, 1.0]
        assert stored.detail == {"n": [1]}
        head, records = await read_all(store, space)
        assert (head.revision, records) == (1, [stored])
        assert head == await store.head(space)
        assert await store.get(space, "other") is None
        await store.ping()

    run(open_store, work)


@pytest.mark.parametrize(
    ("there", "expect", "fits"),
    [
        *[(False, ANY, True), (False, ABSENT, True), (False, PRESENT, False), (False, 1, False)],
        *[(True, ANY, True), (True, ABSENT, False), (True, PRESENT, True), (True, 1, True), (True, 2, False)],
    ],
)
def test_a_write_happens_only_when_the_class_is_as_expected(
    open_store: OpenStore, space: str, there: bool, expect: int | None, fits: bool
) -> None:
    async def work(store: ClassStore) -> None:
        await put(store, space, "a" if there else "other")
        change = Put(make("a", label="Another"), expect)
        if fits:
            assert await store.write(space, [change], ACT) == Written(2, 2 if there else 1)
            return
        before = await read_all(store, space)
        for refused in (change, Drop("a", expect)):
            with pytest.raises(WriteConflict) as caught:
                await store.write(space, [refused], ACT)
            assert caught.value.conflicts == (Conflict(0, "a", int(there)),)
        assert await read_all(store, space) == before

    run(open_store, work)


def test_a_class_deleted_is_gone_for_every_expectation_and_its_version_goes_on(
    open_store: OpenStore, space: str
) -> None:
    async def work(store: ClassStore) -> None:
        with pytest.raises(WriteConflict):
            await drop(store, space, "a")
        assert (await store.head(space)).revision == 0
        await put(store, space, "a")
        assert await drop(store, space, "a") == 2
        assert await store.get(space, "a") is None
        assert await contents(store, space) == (2, {})
        with pytest.raises(WriteConflict):
            await drop(store, space, "a")
        assert await store.write(space, [Put(make("a"), ABSENT)], Act("put", at="later")) == Written(3, 3)
        again = await store.get(space, "a")
        assert again is not None
        assert (again.version, again.created_at) == (3, "later")

    run(open_store, work)


def test_a_replaced_class_keeps_its_birth(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        await put(store, space, "a")
        await store.write(space, [Put(make("a", label="New"))], Act("put", at="later"))
        stored = await store.get(space, "a")
        assert stored is not None
        assert (stored.label, stored.version, stored.revision) == ("New", 2, 2)
        assert (stored.created_at, stored.updated_at) == (ACT.at, "later")

    run(open_store, work)


@pytest.mark.parametrize("count", [3, 1500])
def test_many_changes_are_one_revision_or_nothing(open_store: OpenStore, space: str, count: int) -> None:
    names = [f"bird-{number:05}" for number in range(count)]

    async def work(store: ClassStore) -> None:
        await put(store, space, names[1], names[2])
        before = await read_all(store, space)
        with pytest.raises(WriteConflict) as caught:
            await put(store, space, *names)
        assert [(c.position, c.id, c.revision) for c in caught.value.conflicts] == [(1, names[1], 1), (2, names[2], 1)]
        assert await read_all(store, space) == before
        changes: list[Change] = [Drop(names[1]), *(Put(make(name)) for name in names if name != names[1])]
        assert (await store.write(space, changes, ACT)).revision == 2
        assert await contents(store, space) == (2, {name: 2 for name in names if name != names[1]})
        with pytest.raises(ValueError, match="twice"):
            await put(store, space, "x", "x")

    run(open_store, work)


def test_spaces_are_apart(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        await put(store, space, "a")
        assert await put(store, space + "-b", "a") == 1
        await drop(store, space + "-b", "a")
        assert await contents(store, space) == (1, {"a": 1})

    run(open_store, work)


def test_classes_outlive_the_process(open_store: OpenStore, space: str) -> None:
    heads = []

    async def write(store: ClassStore) -> None:
        await put(store, space, "a")
        heads.append(await store.head(space))

    async def read(store: ClassStore) -> None:
        head, records = await read_all(store, space)
        assert (head, records[0].label) == (heads[0], "Bünting")
        assert head.epoch

    run(open_store, write)
    run(open_store, read)


def test_pages_are_in_order_and_end_with_a_short_one(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        await put(store, space, "c", "a", "b")
        await put(store, space, "d")
        await put(store, space, "a", expect=PRESENT)
        first = await store.page(space, (0, "~"), 3)
        assert [(record.id, record.revision) for record in first.records] == [("b", 1), ("c", 1), ("d", 2)]
        second = await store.page(space, (2, "d"), 3)
        assert [(record.id, record.revision) for record in second.records] == [("a", 3)]
        assert second.head == await store.head(space)
        moved = await store.page(space, (1, "a"), 3)  # "a" was there when the page before this one was read
        assert {"b", "c", "d"} <= {record.id for record in moved.records}

    run(open_store, work)


def test_waiting_ends_with_a_write_of_another_process(open_store: OpenStore, space: str) -> None:
    async def main() -> None:
        reader, writer = open_store(), open_store()
        await put(writer, space, "a")
        known = {space: (await reader.head(space)).revision}
        assert not await reader.wait(known, 0.15)
        waiting = asyncio.create_task(reader.wait(known, 20))
        await asyncio.sleep(0.3)
        await put(writer, space, "b")
        found = set(await asyncio.wait_for(waiting, 5))
        while not found:  # Redis's wait is short
            found = set(await asyncio.wait_for(reader.wait(known, 20), 5))
        assert found == {space}
        await reader.close()
        await writer.close()

    asyncio.run(main())


def test_writers_at_once_lose_no_revision(open_store: OpenStore, space: str) -> None:
    """Four connections write the same ids: each id is stored once, and every write has a revision of its own."""

    async def writer(store: ClassStore) -> list[int]:
        revisions = []
        for number in range(15):
            try:
                revisions.append(await put(store, space, f"bird-{number}"))
            except WriteConflict:
                continue
        return revisions

    async def main() -> None:
        stores = [open_store() for _ in range(4)]
        revisions = await asyncio.gather(*(writer(store) for store in stores))
        assert sorted(itertools.chain(*revisions)) == list(range(1, 16))
        assert sorted((await contents(stores[0], space))[1].values()) == list(range(1, 16))
        for store in stores:
            await store.close()

    asyncio.run(main())


def test_a_counter_kept_by_compare_and_write_counts_every_write(open_store: OpenStore, space: str) -> None:
    async def count(store: ClassStore) -> None:
        for _ in range(8):
            while True:
                old = await store.get(space, "n")
                assert old is not None
                try:
                    await store.write(space, [Put(make("n", label=f"{int(old.label) + 1}"), old.revision)], ACT)
                    break
                except WriteConflict:
                    continue

    async def main() -> None:
        stores = [open_store() for _ in range(3)]
        await put(stores[0], space, "n", label="0")
        await asyncio.gather(*(count(store) for store in stores))
        last = await stores[0].get(space, "n")
        assert last is not None
        assert (last.label, last.version) == ("24", 25)
        for store in stores:
            await store.close()

    asyncio.run(main())


def test_a_read_while_others_write_is_one_moment(
    open_store: OpenStore, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One class is added and one deleted in each write, so at revision n exactly the n-th is there; pages are small."""
    monkeypatch.setattr("app.registry.reading.PAGE", 3)

    async def write(store: ClassStore) -> None:
        await put(store, space, "bird-0001")
        for number in range(2, 60):
            changes: list[Change] = [Drop(f"bird-{number - 1:04}"), Put(make(f"bird-{number:04}"))]
            await store.write(space, changes, ACT)

    async def main() -> None:
        writer, reader = open_store(), open_store()
        writing = asyncio.create_task(write(writer))
        while not writing.done():
            revision, found = await contents(reader, space)
            assert found == ({f"bird-{revision:04}": revision} if revision else {})
            await asyncio.sleep(0)
        await writing
        await writer.close()
        await reader.close()

    asyncio.run(main())


OPERATIONS = st.lists(st.tuples(st.sampled_from(["put", "drop", "note"]), st.sampled_from("abcd")), max_size=25)


@given(operations=OPERATIONS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_agrees_with_a_dictionary(
    open_store: OpenStore, space: str, operations: list[tuple[str, str]]
) -> None:
    """A dict is the model. Who follows from any noted moment arrives at it, and `past` leads back to that moment."""

    async def work(store: ClassStore) -> None:
        name = f"{space}-{next(numbers)}"
        model: dict[str, int] = {}
        noted: list[tuple[Head, dict[str, int]]] = []
        revision = 0
        for operation, class_id in operations:
            if operation == "note":
                noted.append((await store.head(name), dict(model)))
                continue
            change: Change = Put(make(class_id)) if operation == "put" else Drop(class_id)
            if operation == "drop" and class_id not in model:
                with pytest.raises(WriteConflict):
                    await store.write(name, [change], ACT)
                continue
            revision += 1
            assert (await store.write(name, [change], ACT)).revision == revision
            model.pop(class_id, None)
            model |= {class_id: revision} if operation == "put" else {}
        assert await contents(store, name) == (revision, model)
        for head, view in noted:
            if head.epoch:  # else the space was not there yet
                assert await _followed(store, name, head, view) == model
            old = await store.past(name, head.revision)
            assert old is not None
            kept = {key: value for key, value in model.items() if value <= head.revision}
            assert kept | {record.id: record.revision for record in old} == view

    run(open_store, work)


async def _followed(store: ClassStore, space: str, head: Head, view: dict[str, int]) -> dict[str, int]:
    """The view after everything that happened since."""
    after = dict(view)

    async def take(records: list[ClassRecord]) -> None:
        for record in records:
            after.pop(record.id, None)
            after.update({} if record.deleted else {record.id: record.revision})

    assert await read_since(store, space, head, take) == await store.head(space)
    return after
