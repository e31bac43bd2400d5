"""How long writes wait to be served, and how many revisions the store is known to be ahead meanwhile."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.registry import reading
from app.registry.follower import Follower, Progress
from app.registry.sqlite import SqliteStore
from app.registry.store import Act, Page, Put, seconds_since
from tests.app.registry.test_follower import SEEN, eventually, record


class Gated(SqliteStore):
    """A store whose pages after the first of a read wait for `gate`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.gate = asyncio.Event()
        self.gate.set()

    async def page(self, space: str, after: tuple[int, str], limit: int) -> Page:
        if after[1] != "~":
            await self.gate.wait()
        return await super().page(space, after, limit)

    async def put(self, class_id: str, seconds_ago: float) -> None:
        at = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat(timespec="milliseconds")
        await self.write("default", [Put(record(class_id))], Act("put", at=at))


def test_lag_is_that_of_the_oldest_write_read_and_behind_what_is_still_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE", 1)
    lags: list[float] = []

    async def main() -> None:
        store = Gated(tmp_path / "classes.sqlite")
        follower = Follower(store=store, seen=SEEN, poll_seconds=60, max_spaces=2, observe_lag=lags.append)
        try:
            await store.put("old", seconds_ago=5_000)
            await follower.refresh("default")
            assert lags == []  # what was there before the process is no lag
            store.gate.clear()
            for number, ago in enumerate((3.0, 30.0, 20.0)):
                await store.put(f"new-{number}", seconds_ago=ago)
            reads = asyncio.create_task(follower.refresh("default"))
            await eventually(lambda: follower.progress()[0].behind == 3)
            assert follower.progress()[0].revision == 1
            store.gate.set()
            await reads
            served = follower.progress()[0]
            assert served == Progress("default", 4, served.age, 0)
            await follower.refresh("default")
        finally:
            await follower.stop()
            await store.close()

    asyncio.run(main())
    assert lags == [pytest.approx(30, abs=10)]


def test_a_store_that_lost_its_writes_is_not_ahead(tmp_path: Path) -> None:
    async def main() -> None:
        store = Gated(tmp_path / "classes.sqlite")
        follower = Follower(store=store, seen=SEEN, poll_seconds=60, max_spaces=2)
        try:
            await store.put("a", seconds_ago=0)
            await follower.refresh("default")
            view = follower._views["default"]
            assert view.snapshot is not None
            view.snapshot = dataclasses.replace(view.snapshot, head=dataclasses.replace(view.snapshot.head, revision=9))
            assert follower.progress()[0].behind == 0
        finally:
            await follower.stop()
            await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("text", ["", "then", "2026-01-02T03:04:05"])
def test_other_texts_are_no_moments(text: str) -> None:
    assert seconds_since(text) is None


def test_a_clock_ahead_of_ours_makes_no_negative_lag() -> None:
    assert seconds_since((datetime.now(UTC) + timedelta(hours=1)).isoformat()) == 0
