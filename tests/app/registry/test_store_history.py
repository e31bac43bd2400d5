"""What every class store remembers: who did what, what was replaced, tombstones, and class spaces as a whole."""

from __future__ import annotations

import pytest

from app.registry.reading import read_since
from app.registry.store import (
    SETTINGS,
    Act,
    ClassRecord,
    ClassStore,
    LogEntry,
    Put,
    SpaceExists,
    SpaceMissing,
    gamma_in,
    settings_record,
)
from tests.app.registry.stores import ACT, OpenStore, contents, drop, make, put, run


async def ignore(records: list[ClassRecord]) -> None:
    """Read without keeping anything."""


def test_the_log_says_who_did_what_and_when(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        await put(store, space, "a")
        await store.write(space, [Put(make("b")), Put(make("c"))], Act("import", actor="bo", at="then"))
        await drop(store, space, "b")
        first = LogEntry(1, ACT.at, "ada", "test", 1, ("a",))
        second = LogEntry(2, "then", "bo", "import", 2, ("b", "c"))
        third = LogEntry(3, ACT.at, "ada", "test", 1, ("b",))
        assert await store.log(space, None, 10) == (third, second, first)
        assert await store.log(space, 3, 1) == (second,)
        assert await store.log("never-met", None, 10) == ()

    run(open_store, work)


def test_a_long_write_names_its_first_hundred(open_store: OpenStore, space: str) -> None:
    names = [f"bird-{number:03}" for number in range(250)]

    async def work(store: ClassStore) -> None:
        await put(store, space, *names)
        (entry,) = await store.log(space, None, 10)
        assert (entry.count, entry.ids) == (250, tuple(names[:100]))

    run(open_store, work)


def test_the_past_is_what_was_replaced_since(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        await put(store, space, "a", "b", label="One")
        await put(store, space, "a", expect=None, label="Two")
        await put(store, space, "a", "c", expect=None, label="Three")
        await drop(store, space, "b")
        old = await store.past(space, 1)
        assert old is not None
        assert {(record.id, record.label, record.revision) for record in old} == {("a", "One", 1), ("b", "One", 1)}
        assert all(record.vector().tolist() == [0.25, 0.0, 1.0] for record in old)
        assert [record.label for record in await store.past(space, 2) or ()] == ["Two", "One"]
        assert await store.past(space, 4) == ()
        assert await store.past(space, 5) is None

    run(open_store, work)


def test_what_lies_too_far_back_is_forgotten(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        await put(store, space, "a", "gone")
        early = await store.head(space)
        await drop(store, space, "gone")
        late = await store.head(space)
        for _ in range(12):
            await put(store, space, "a", expect=None)
        assert await store.past(space, 3) is None
        assert len(await store.past(space, 5) or ()) == 1
        assert (await store.page(space, (0, "~"), 10)).floor >= 2
        assert await read_since(store, space, early, ignore) is None  # would not learn that "gone" is gone
        assert await read_since(store, space, late, ignore) == await store.head(space)
        assert await contents(store, space) == (14, {"a": 14})

    run(open_store, work, log_length=10)


def test_a_write_that_replaces_too_much_ends_what_can_be_replayed(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        names = [f"bird-{number}" for number in range(8)]
        await put(store, space, *names)
        await put(store, space, *names[:4], expect=None)
        assert len(await store.past(space, 1) or ()) == 4
        await put(store, space, *names, expect=None)
        assert await store.past(space, 1) is None
        assert await store.past(space, 2) is None
        assert await store.past(space, 3) == ()
        await put(store, space, "bird-0", expect=None)
        assert len(await store.past(space, 3) or ()) == 1

    run(open_store, work, undo_rows=4)


def test_spaces_are_listed_with_their_registered_classes(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        await store.write(space, [], ACT, space_change="create", label="Warblers")
        await put(store, space, "a", "b")
        await put(store, space, "s", kind="seen", degrees=b"")
        await drop(store, space, "b")
        (info,) = [info for info in await store.spaces() if info.name == space]
        assert (info.revision, info.classes, info.label, info.created_at) == (4, 1, "Warblers", ACT.at)
        with pytest.raises(SpaceExists):
            await store.write(space, [], ACT, space_change="create")
        assert (await store.head(space)).revision == 4

    run(open_store, work)


def test_the_gamma_of_a_space_is_a_write_like_any_other(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        async def told() -> tuple[int, int, float | None]:
            (info,) = [info for info in await store.spaces() if info.name == space]
            return info.revision, info.classes, info.gamma

        await put(store, space, "a")
        assert await told() == (1, 1, None)
        for gamma in (1.25, -0.5, None):
            await store.write(space, [Put(settings_record("abc", gamma=gamma))], Act("set", actor="ada"))
            revision, classes, shown = await told()
            assert (classes, shown) == (1, gamma)
        assert revision == 4
        assert [(e.operation, e.ids) for e in await store.log(space, None, 1)] == [("set", (SETTINGS,))]
        old = await store.past(space, 2)
        assert old is not None
        assert [(record.id, gamma_in(record.detail_json)) for record in old] == [(SETTINGS, 1.25)]
        await store.write(space, [], ACT, space_change="delete")
        await put(store, space, "a")
        assert await told() == (6, 1, None)

    run(open_store, work)


def test_a_deleted_space_is_empty_and_its_revision_goes_on(open_store: OpenStore, space: str) -> None:
    async def work(store: ClassStore) -> None:
        with pytest.raises(SpaceMissing):
            await store.write(space, [], ACT, space_change="delete")
        await put(store, space, "a", "b")
        before = await store.head(space)
        assert (await store.write(space, [], Act("delete-space"), space_change="delete")).revision == 2
        assert await contents(store, space) == (2, {})
        assert await store.get(space, "a") is None
        assert space not in [info.name for info in await store.spaces()]
        assert await read_since(store, space, before, ignore) is None
        assert await store.past(space, 1) is None
        (newest, _) = await store.log(space, None, 10)
        assert (newest.operation, newest.count) == ("delete-space", 2)
        assert await put(store, space, "a") == 3
        assert [info.classes for info in await store.spaces() if info.name == space] == [1]

    run(open_store, work)
