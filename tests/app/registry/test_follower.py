"""The follower: snapshots that are one revision each, kept fresh, kept when the store goes away."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path

import numpy as np
import pytest

from app.registry.copies import Copies
from app.registry.follower import Follower, RevisionNotReached
from app.registry.snapshot import SeenClasses, Snapshot
from app.registry.sqlite import SqliteStore
from app.registry.store import Act, ClassRecord, Drop, Page, Put, StoreRefused, StoreUnavailable
from duet_core.classes import unit_rows
from duet_core.runtime import ClassSet

DEGREES = np.array([[1, 0, 0], [0.5, 1, 0]], dtype=np.float32)
SEEN = SeenClasses(
    classes=ClassSet(ids=("s0", "s1"), labels=("S0", "S1"), seen=np.ones(2, dtype=np.bool_), z=unit_rows(DEGREES)),
    degrees=DEGREES,
    schema="three",
)


class Switchable(SqliteStore):
    """A store that can be taken away."""

    away = False
    pages = 0
    """Pages asked for from the beginning."""

    async def page(self, space: str, after: tuple[int, str], limit: int) -> Page:
        self._check()
        self.pages += after == (0, "~")
        return await super().page(space, after, limit)

    async def wait(self, known: Mapping[str, int], seconds: float) -> Collection[str]:
        self._check()
        return await super().wait(known, seconds)

    async def put(self, space: str, record: ClassRecord) -> int:
        return (await self.write(space, [Put(record)], Act("put"))).revision

    async def delete(self, space: str, class_id: str) -> int:
        return (await self.write(space, [Drop(class_id)], Act("delete"))).revision

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("switched off")


def record(class_id: str, degrees: tuple[float, ...] = (0, 0, 1), schema: str = "three") -> ClassRecord:
    data = np.array(degrees, dtype="<f4").tobytes()
    return ClassRecord(id=class_id, label=class_id.upper(), kind="vector", degrees=data, schema=schema)


def run(
    tmp_path: Path,
    work: Callable[[Follower, Switchable], Awaitable[None]],
    *,
    poll: float = 0.02,
    most: int = 8,
    copies: Copies | None = None,
) -> None:
    async def main() -> None:
        store = Switchable(tmp_path / "classes.sqlite")
        follower = Follower(store=store, seen=SEEN, poll_seconds=poll, max_spaces=most, copies=copies)
        try:
            await work(follower, store)
        finally:
            await follower.stop()
            await store.close()

    asyncio.run(main())


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came to pass")


def test_seen_first_then_registered(tmp_path: Path) -> None:
    async def work(follower: Follower, store: Switchable) -> None:
        await store.put("default", record("b"))
        await store.put("default", record("a", (3, 0, 4)))
        await follower.start()
        snapshot = await follower.snapshot("default")
        assert (snapshot.revision, snapshot.classes.ids) == (2, ("s0", "s1", "b", "a"))
        assert snapshot.classes.seen.tolist() == [True, True, False, False]
        assert snapshot.classes.z[3] == pytest.approx([0.6, 0, 0.8])
        assert snapshot.degrees("a") == pytest.approx([3, 0, 4])
        assert snapshot.degrees("s1").tolist() == [0.5, 1, 0]

    run(tmp_path, work)


def test_writes_of_others_arrive_without_loading_everything_again(tmp_path: Path) -> None:
    async def work(follower: Follower, store: Switchable) -> None:
        await store.put("default", record("c"))
        await follower.start()
        old = await follower.snapshot("default")
        await store.put("default", record("a"))
        await store.put("default", record("b"))
        await store.delete("default", "a")
        await eventually(lambda: follower.progress()[0][1] == 4)
        new = await follower.snapshot("default")
        assert new.classes.ids == ("s0", "s1", "c", "b")
        assert (old.revision, old.classes.ids) == (1, ("s0", "s1", "c"))  # whoever holds it is not disturbed
        assert store.pages == 1

    run(tmp_path, work)


def test_every_snapshot_is_one_revision(tmp_path: Path) -> None:
    """Each write adds one class, so a snapshot of revision n must hold exactly n of them, whenever it is taken."""

    async def work(follower: Follower, store: Switchable) -> None:
        await follower.start()
        taken: list[Snapshot] = []

        async def watch() -> None:
            while not taken or taken[-1].revision < 40:
                taken.append(await follower.snapshot("default"))
                await asyncio.sleep(0.001)

        watching = asyncio.create_task(watch())
        for number in range(40):
            await store.put("default", record(f"c{number}"))
            if number % 7 == 0:
                await follower.refresh("default")
        await asyncio.wait_for(watching, 20)
        assert all(len(snapshot.records) == snapshot.revision for snapshot in taken)
        assert [s.revision for s in taken] == sorted(s.revision for s in taken)

    run(tmp_path, work)


def test_a_store_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    async def work(follower: Follower, store: Switchable) -> None:
        await store.put("default", record("a"))
        await follower.start()
        store.away = True
        await eventually(lambda: follower.trouble("default") is not None)
        await asyncio.sleep(0.1)
        assert follower.age_seconds("default") >= 0.1
        assert (await follower.snapshot("default")).classes.ids == ("s0", "s1", "a")
        with pytest.raises(StoreUnavailable):
            await follower.snapshot("never-met")
        store.away = False
        await store.put("default", record("b"))
        await eventually(lambda: follower.trouble("default") is None)
        assert (await follower.snapshot("default")).revision == 2

    run(tmp_path, work)


def test_a_store_away_at_start_is_waited_for(tmp_path: Path) -> None:
    async def work(follower: Follower, store: Switchable) -> None:
        store.away = True
        await follower.start()
        assert not follower.ready
        store.away = False
        await eventually(lambda: follower.ready)

    run(tmp_path, work)


def test_a_store_made_anew_is_loaded_anew(tmp_path: Path) -> None:
    async def work(follower: Follower, store: Switchable) -> None:
        for name in ("a", "b", "c"):
            await store.put("default", record(name))
        await follower.start()
        for name in ("a", "b", "c"):
            await store.delete("default", name)
        tables = ("spaces", "classes", "log", "undo")
        await store._run(lambda db: db.executescript("".join(f"DELETE FROM {table};" for table in tables)))
        await store.put("default", record("z"))
        await eventually(lambda: follower.progress()[0][1] == 1)
        assert (await follower.snapshot("default")).classes.ids == ("s0", "s1", "z")

    run(tmp_path, work)


def test_degrees_that_do_not_fit_their_schema_stop_the_start(tmp_path: Path) -> None:
    async def work(follower: Follower, store: Switchable) -> None:
        await store.put("default", record("a", (1, 2)))
        with pytest.raises(StoreRefused, match="has 2 degrees; its attributes are 3"):
            await follower.start()

    run(tmp_path, work)


def test_a_bad_record_written_later_leaves_the_snapshot_and_other_spaces_alone(tmp_path: Path) -> None:
    async def work(follower: Follower, store: Switchable) -> None:
        await follower.start()
        await follower.snapshot("other")
        await store.put("default", record("a", (1, 2)))
        await eventually(lambda: follower.trouble("default") is not None)
        await store.put("other", record("b"))
        await eventually(lambda: follower.progress()[1][1] == 1)
        assert follower.trouble("other") is None
        assert (await follower.snapshot("default")).revision == 0
        await store.delete("default", "a")
        await eventually(lambda: follower.trouble("default") is None)

    run(tmp_path, work)


def test_a_class_the_bundle_has_learned_since_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(follower: Follower, store: Switchable) -> None:
        await store.put("default", record("s0"))
        await follower.start()
        assert (await follower.snapshot("default")).classes.ids == ("s0", "s1")

    run(tmp_path, work)
    assert "seen class" in caplog.text


def test_the_space_unused_longest_is_forgotten(tmp_path: Path) -> None:
    async def work(follower: Follower, store: Switchable) -> None:  # noqa: ARG001
        await follower.start()
        for name in ("a", "b", "a", "c"):
            await follower.snapshot(name)
        assert [space for space, *_ in follower.progress()] == ["default", "a", "c"]

    run(tmp_path, work, poll=60, most=3)


def test_a_copy_on_disk_stands_in_for_a_store_that_is_away(tmp_path: Path) -> None:
    copies = Copies(tmp_path / "copies")

    async def first(follower: Follower, store: Switchable) -> None:
        await store.put("default", record("a"))
        await store.put("other", record("b"))
        await follower.start()
        await follower.snapshot("other")

    async def second(follower: Follower, store: Switchable) -> None:
        store.away = True
        await asyncio.sleep(0.2)
        await follower.start()
        assert follower.ready
        assert follower.trouble("default") is not None
        assert follower.age_seconds("default") >= 0.2
        assert (await follower.snapshot("default")).classes.ids == ("s0", "s1", "a")
        assert (await follower.snapshot("other")).classes.ids == ("s0", "s1", "b")
        store.away = False
        await store.put("default", record("c"))
        await eventually(lambda: follower.progress()[0][1] == 2)
        assert follower.trouble("default") is None
        assert store.pages == 0  # only what came after the copy

    run(tmp_path, first, copies=copies)
    run(tmp_path, second, copies=copies)


def test_what_has_expired_is_deleted_by_one_replica(tmp_path: Path) -> None:
    async def work(follower: Follower, store: Switchable) -> None:
        await store.put("default", dataclasses.replace(record("a"), expires_at=time.time() + 0.3))
        await store.put("default", dataclasses.replace(record("b"), expires_at=time.time() + 100))
        other = Follower(store=store, seen=SEEN, poll_seconds=0.02, max_spaces=8)
        await follower.start()
        await other.start()
        assert (await other.snapshot("default")).classes.ids == ("s0", "s1", "a", "b")
        await eventually(lambda: follower.progress()[0][1] == other.progress()[0][1] == 3)
        await asyncio.sleep(0.2)
        assert (await other.snapshot("default")).classes.ids == ("s0", "s1", "b")
        assert [entry.operation for entry in await store.log("default", None, 10)] == ["expire", "put", "put"]
        await other.stop()

    run(tmp_path, work)


def test_waiting_for_a_revision_that_does_not_come_ends(tmp_path: Path) -> None:
    async def work(follower: Follower, store: Switchable) -> None:
        await follower.start()
        with pytest.raises(RevisionNotReached, match="revision 0 here, 1"):
            await follower.at_least("default", 1)
        waiting = asyncio.create_task(follower.at_least("default", 1))
        await asyncio.sleep(0.05)
        await store.put("default", record("a"))
        assert (await waiting).revision == 1
        store.away = True
        assert (await follower.at_least("default", 1)).revision == 1
        with pytest.raises(RevisionNotReached):
            await follower.at_least("default", 2)

    run(tmp_path, work, poll=60)


def test_the_past_of_a_store_that_is_ahead_of_the_snapshot(tmp_path: Path) -> None:
    async def work(follower: Follower, store: Switchable) -> None:
        await store.put("default", record("a"))
        await store.put("default", record("b"))
        await follower.start()
        await store.delete("default", "a")  # this replica does not know yet
        await store.put("default", record("b", (1, 1, 1)))
        then = await follower.as_of("default", 1)
        assert (then.revision, then.classes.ids) == (1, ("s0", "s1", "a"))
        assert (await follower.as_of("default", 3)).classes.ids == ("s0", "s1", "b")
        with pytest.raises(RevisionNotReached):
            await follower.as_of("default", 5)

    run(tmp_path, work, poll=60)


def test_it_stops_though_a_cancellation_is_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Redis's client does when the cancellation meets the end of a read."""
    swallowed: list[str] = []

    async def wait(*_: object) -> Collection[str]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if swallowed:
                raise
            swallowed.append("one")
        return ()

    monkeypatch.setattr(Switchable, "wait", wait)

    async def work(follower: Follower, _: Switchable) -> None:
        await follower.start()
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            await follower.stop()

    run(tmp_path, work)
    assert swallowed == ["one"]
