"""A model that was replaced ends with its last request, and then nothing of it is left."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from app.metrics import Metrics
from app.model_swap import MOST_LEAVING, ModelSwap, SwapBusy, SwapRefused
from app.service import build_service
from app.settings import Settings
from tests.tiny_bundle import picture_bytes, write_tiny_bundle


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Sessions must go when the last request ends, not when Python next looks for cycles."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def run(tmp_path: Path, work: Callable[[ModelSwap], Awaitable[None]]) -> None:
    """Do the work with a started service on the bundle `one`, beside which lies `two`."""
    for name, bias in (("one", 0.2), ("two", 0.3)):
        write_tiny_bundle(tmp_path / name, model_id=name, bias=bias)

    async def main() -> None:
        settings = Settings(bundle=tmp_path / "one", store=f"sqlite:///{tmp_path}/classes.sqlite")
        models = ModelSwap(build_service(settings, Metrics()))
        try:
            await models.start()
            await work(models)
        finally:
            await models.stop()

    asyncio.run(main())


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("no_collector")
def test_the_old_model_lives_as_long_as_its_requests_and_no_longer(tmp_path: Path) -> None:
    async def work(models: ModelSwap) -> None:
        old = weakref.ref(models.service.bundle)
        session = weakref.ref(models.service.bundle.vision)
        red = picture_bytes("red")
        with models.held() as service:
            before = await service.encode(red)
            done = await models.swap(tmp_path / "two", name="two", asked_by="api")
            assert (done.before.id, done.now.id, models.leaving) == ("one", "two", 1)
            assert ((await service.encode(red)).v == before.v).all()  # the request goes on with what it began with
            assert ((await models.service.encode(red)).v != before.v).any()
            await asyncio.sleep(0.05)
            assert models.leaving == 1
        del service
        await eventually(lambda: models.leaving == 0 and old() is None and session() is None)

    run(tmp_path, work)


@pytest.mark.usefixtures("no_collector")
def test_nothing_of_a_refused_bundle_stays(tmp_path: Path) -> None:
    async def work(models: ModelSwap) -> None:
        with pytest.raises(SwapRefused, match=r"three/manifest\.json: no such file"):
            await models.swap(tmp_path / "three", name="three", asked_by="signal")
        assert models.last is not None
        assert models.last.refused is not None
        assert models.service.bundle.model_id == "one"
        assert models.leaving == 0
        await models.swap(tmp_path / "two", name="two", asked_by="api")
        assert models.last.refused is None

    run(tmp_path, work)


def test_no_more_than_a_few_models_are_in_memory(tmp_path: Path) -> None:
    async def work(models: ModelSwap) -> None:
        slow = [models.held() for _ in range(MOST_LEAVING)]
        for number, request in enumerate(slow):
            request.__enter__()
            await models.swap(tmp_path / ("two", "one")[number % 2], name="x", asked_by="api")
        with pytest.raises(SwapBusy, match="2 earlier models still finish requests"):
            await models.swap(tmp_path / "one", name="one", asked_by="api")
        slow.pop(0).__exit__(None, None, None)
        await eventually(lambda: models.leaving == MOST_LEAVING - 1)
        await models.swap(tmp_path / "two", name="two", asked_by="api")
        for request in slow:
            request.__exit__(None, None, None)

    run(tmp_path, work)


def test_a_caller_that_goes_away_does_not_stop_a_swap(tmp_path: Path) -> None:
    async def work(models: ModelSwap) -> None:
        caller = asyncio.create_task(models.swap(tmp_path / "two", name="two", asked_by="api"))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(SwapBusy):
            await models.swap(tmp_path / "one", name="one", asked_by="api")
        await eventually(lambda: models.service.bundle.model_id == "two")

    run(tmp_path, work)
