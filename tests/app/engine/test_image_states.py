"""What is remembered of photos: here, for other processes through Redis or a SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from redis.asyncio import Redis

from app.engine.image_states import ImageState, MemoryImageStates, OfOtherModel, SharedImageStates, Shelved
from app.engine.labelled import Labelled
from app.engine.labelled_sqlite import SqliteLabelledPhotos
from app.engine.photo_file import PhotoFile
from app.engine.redis_shelf import RedisShelf
from app.engine.state_shelves import SqliteShelf
from app.metrics import Metrics
from app.registry.redis_client import connect
from app.registry.store import StoreRefused, StoreUnavailable
from tests.redis_process import RedisProcess, free_port


def state(number: float) -> ImageState:
    return ImageState(v=np.array([number, 0.5], dtype=np.float32), state=np.array([1, 2, number], dtype=np.float32))


def test_memory_forgets_by_age_and_by_number() -> None:
    async def main() -> None:
        states = MemoryImageStates(ttl=0.2, capacity=3)
        ids = [await states.keep(state(number)) for number in range(4)]
        assert len(set(ids)) == 4
        assert await states.find(ids[0]) is None
        found = await states.find(ids[3])
        assert found is not None
        assert found.v[0] == 3
        time.sleep(0.25)
        assert await states.find(ids[3]) is None
        assert await states.find("other") is None

    asyncio.run(main())


def through(shelf: RedisShelf | SqliteShelf, metrics: Metrics | None = None, model: str = "m") -> SharedImageStates:
    memory = MemoryImageStates(ttl=60, capacity=10)
    return SharedImageStates(model=model, shelf=shelf, memory=memory, metrics=metrics or Metrics())


def in_redis(client: Redis) -> RedisShelf:
    return RedisShelf(client=client, ttl=60)


def in_file(path: Path, *, ttl: int = 60, capacity: int = 5, timeout: float = 1.0) -> SqliteShelf:
    file = PhotoFile(path, timeout=timeout, durable=False)
    return SqliteShelf(file, ttl=ttl, capacity=capacity)


def errors(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("duet_image_state_errors_total")


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_another_process_can_explain(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    async def main() -> None:
        if kind == "redis":
            client = connect(request.getfixturevalue("redis_server").url, timeout=1.0)
            one, two, other_model = (through(in_redis(client), model=model) for model in "mmn")
        else:
            path = tmp_path / "photos.sqlite"
            one, two, other_model = (through(in_file(path), model=model) for model in "mmn")
        image_id = await one.keep(state(7))
        found = await two.find(image_id)
        assert found is not None
        assert found.v.tolist() == [7, 0.5]
        assert found.state.tolist() == [1, 2, 7]
        with pytest.raises(OfOtherModel, match="is of model m; n answers now"):
            await other_model.find(image_id)
        assert await two.find("other") is None
        if kind == "redis":
            assert 0 < await client.ttl(in_redis(client).key(image_id)) <= 60
        for states in (one, two, other_model):
            await states.close()
        if kind == "redis":
            await client.aclose()

    asyncio.run(main())


def test_the_file_forgets_by_age_and_by_number(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "photos.sqlite"
        shelves = [in_file(path), in_file(path)]
        for number in range(8):  # by turns
            await shelves[number % 2].put(f"p{number}", Shelved("m", bytes([number])))
        held = [await shelves[0].get(f"p{number}") for number in range(8)]
        assert held == [None, None, None, *(Shelved("m", bytes([number])) for number in range(3, 8))]
        brief = in_file(path, ttl=1)
        await brief.put("brief", Shelved("m", b"x"))
        assert await shelves[0].get("brief") == Shelved("m", b"x")
        time.sleep(1.1)
        assert await shelves[0].get("brief") is None
        await brief.put("next", Shelved("m", b"y"))
        db = sqlite3.connect(path)
        assert [row[0] for row in db.execute("SELECT image_id FROM states ORDER BY number")] == [
            "p5",
            "p6",
            "p7",
            "next",
        ]
        db.close()
        for shelf in (*shelves, brief):
            await shelf.close()

    asyncio.run(main())


@pytest.mark.parametrize("harm", ["locked", "broken", "foreign", "no folder"])
def test_a_file_that_cannot_be_used_does_not_stop_a_photo(tmp_path: Path, harm: str) -> None:
    path = tmp_path / ("missing" if harm == "no folder" else ".") / "photos.sqlite"
    other = None
    if harm == "broken":
        path.write_bytes(b"no database" * 1000)
    elif harm != "no folder":
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("CREATE TABLE theirs (a)")
        if harm == "locked":
            other.execute("BEGIN EXCLUSIVE")

    async def main() -> None:
        metrics = Metrics()
        states = through(in_file(path, timeout=0.2), metrics)
        labelled = SqliteLabelledPhotos(PhotoFile(path, timeout=0.2, durable=True), model_id="m")
        start = time.monotonic()
        image_id = await states.keep(state(7))
        assert time.monotonic() - start < 0.5
        assert await states.find(image_id) is not None
        assert await states.find("other") is None
        assert errors(metrics) == 2
        assert await labelled.find("birds") is None
        with pytest.raises((StoreUnavailable, StoreRefused)):
            await labelled.keep("birds", photos("a", revision=1), append=False)
        if harm == "locked":
            assert other is not None
            other.execute("DROP TABLE theirs")
            other.execute("COMMIT")
            second = through(in_file(path))
            assert await second.find(await states.keep(state(3))) is not None  # it is used again as soon as it is free
            await second.close()
        await states.close()
        await labelled.close()

    asyncio.run(main())
    if other is not None:
        other.close()


def photos(*class_ids: str, revision: int) -> Labelled:
    v = np.array([[len(name), number] for number, name in enumerate(class_ids)], dtype=np.float32)
    return Labelled(revision, v, class_ids)


def test_labelled_photos_in_a_file_are_shared_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "photos.sqlite"

    def opened(model_id: str = "m") -> SqliteLabelledPhotos:
        return SqliteLabelledPhotos(PhotoFile(path, timeout=5.0, durable=True), model_id=model_id)

    async def main() -> None:
        one, two, other_model = opened(), opened(), opened("n")
        assert await one.find("birds") is None
        await one.keep("birds", photos("a", "bb", revision=3), append=True)
        first = await two.find("birds")
        assert first is not None
        assert (first.revision, first.class_ids, first.v.tolist()) == (3, ("a", "bb"), [[1, 0], [2, 1]])
        assert await two.find("birds") is first  # what is unchanged is not read again
        await two.keep("birds", photos("ccc", revision=9), append=True)
        await one.keep("fish", photos("d", revision=1), append=False)
        for process in (one, two, opened()):
            found = await process.find("birds")
            assert found is not None
            assert (found.revision, found.class_ids, found.v.tolist()) == (
                3,
                ("a", "bb", "ccc"),
                [[1, 0], [2, 1], [3, 0]],
            )
        assert await other_model.find("birds") is None
        await one.keep("birds", photos("e", revision=10), append=False)
        replaced = await two.find("birds")
        assert replaced is not None
        assert (replaced.revision, replaced.class_ids) == (10, ("e",))
        await two.forget("birds")
        assert await one.find("birds") is None
        assert await one.find("fish") is not None
        for process in (one, two, other_model):
            await process.close()

    asyncio.run(main())


def test_labelled_photos_read_last_stand_in_for_a_file_that_breaks(tmp_path: Path) -> None:
    path = tmp_path / "photos.sqlite"

    async def main() -> None:
        file = PhotoFile(path, timeout=0.2, durable=True)
        labelled = SqliteLabelledPhotos(file, model_id="m")
        await labelled.keep("birds", photos("a", revision=1), append=False)
        known = await labelled.find("birds")
        await file.run(lambda db: db.execute("DROP TABLE calibrations"))
        assert await labelled.find("birds") is known
        await labelled.close()

    asyncio.run(main())


def test_processes_that_add_at_once_lose_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        files = [PhotoFile(tmp_path / "photos.sqlite", timeout=20.0, durable=True) for _ in range(3)]
        processes = [SqliteLabelledPhotos(file, model_id="m") for file in files]
        await processes[0].keep("birds", photos("x", revision=1), append=True)
        added = [processes[n % 3].keep("birds", photos(f"c{n}", revision=2), append=True) for n in range(30)]
        await asyncio.gather(*added)
        found = await processes[1].find("birds")
        assert found is not None
        assert sorted(found.class_ids) == sorted(["x", *(f"c{n}" for n in range(30))])
        assert found.revision == 1
        for process in processes:
            await process.close()

    asyncio.run(main())


def test_a_redis_that_is_away_does_not_stop_a_photo() -> None:
    async def main() -> None:
        metrics, client = Metrics(), connect(f"redis://127.0.0.1:{free_port()}/0", timeout=1.0)
        states = through(in_redis(client), metrics)
        image_id = await states.keep(state(7))
        assert await states.find(image_id) is not None
        assert await states.find("other") is None
        assert errors(metrics) == 2
        await states.close()
        await client.aclose()

    asyncio.run(main())


def test_a_redis_that_hangs_delays_a_photo_little(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = RedisProcess(tmp_path_factory.mktemp("redis"))
    server.start()

    async def main() -> None:
        client = connect(server.url, timeout=1.0)
        states = through(in_redis(client))
        await states.keep(state(1))
        server.pause()
        start = time.monotonic()
        await states.keep(state(2))
        assert time.monotonic() - start < 0.5
        server.resume()
        await states.close()
        await client.aclose()

    try:
        asyncio.run(main())
    finally:
        server.kill()
