"""Workers that die, hang or answer wrongly: no photo waits for ever, and readiness tells the truth."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.engine.image_states import ImageState
from app.engine.inference import Batching, Inference, InferenceStopped
from app.engine.supervision import Supervision, black_canary
from app.metrics import Metrics
from tests.app.engine.fake_models import NumberModel, engine, photo

QUICK = Supervision(
    model_timeout=30, canary_every=0, max_deaths=3, first_pause=0.01, longest_pause=0.05, steady=3600, tick=0.01
)


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def dies() -> None:
    raise SystemExit("the thread is told to end")


async def refused(works: Inference, number: float) -> str:
    with pytest.raises(InferenceStopped) as caught:
        await asyncio.wait_for(works.encode(photo(number)), 10)
    return str(caught.value)


def test_a_death_fails_its_photos_at_once_and_another_worker_follows() -> None:
    async def main() -> None:
        model, metrics = NumberModel(), Metrics()
        works = engine(model, Batching(max_batch=2), QUICK, metrics=metrics, tested=True)
        works.start()
        model.go.set()
        await works.ready()
        model.go.clear()
        model.called.clear()
        model.before = dies
        photos = [asyncio.create_task(refused(works, n)) for n in range(1, 6)]  # two run, three wait
        await asyncio.to_thread(model.called.wait, 10)
        model.go.set()
        await until(lambda: not works.alive)
        assert len(await asyncio.gather(*photos)) == 5
        assert "SystemExit" in str(works.trouble)
        assert "SystemExit" in await refused(works, 6)
        model.before = lambda: None
        await until(lambda: works.alive)
        assert float((await works.encode(photo(7))).v[0]) == 7
        assert (metrics.registry.get_sample_value("duet_worker_deaths_total") or 0) >= 1
        assert len(model.threads) == 2
        await works.stop()

    asyncio.run(main())


def test_deaths_in_a_row_give_the_process_up() -> None:
    async def main() -> None:
        model, reasons = NumberModel(), list[str]()
        model.go.set()
        model.before = dies
        works = engine(model, supervision=QUICK, tested=True, give_up=reasons.append)
        works.start()
        await until(lambda: reasons)
        assert "3 times in a row" in reasons[0]
        assert "3 times in a row" in await refused(works, 1)
        with pytest.raises(InferenceStopped, match="SystemExit"):
            await works.ready()
        await works.stop()
        assert len(reasons) == 1

    asyncio.run(main())


def test_an_error_outside_the_model_call_is_a_death_too() -> None:
    async def main() -> None:
        model = NumberModel()
        model.go.set()
        works = engine(model, supervision=QUICK)
        works.start()
        good, odd = photo(1), np.zeros((3, 5, 5), dtype=np.float32)
        results = await asyncio.gather(works.encode(good), works.encode(odd), return_exceptions=True)
        assert all(isinstance(result, InferenceStopped) for result in results)  # they cannot be stacked
        await until(lambda: works.alive)
        assert float((await works.encode(good)).v[0]) == 1
        await works.stop()

    asyncio.run(main())


def test_a_model_that_fails_its_canary_is_not_ready_until_it_passes() -> None:
    async def main() -> None:
        model, wrong = NumberModel(), threading.Event()
        model.go.set()

        def answers(pixels: Any) -> Any:
            encoded = model(pixels)
            return encoded if not wrong.is_set() else type(encoded)(v=encoded.v + 1, state=encoded.state)

        watched = Supervision(**{**QUICK.__dict__, "canary_every": 0.02})
        works = engine(answers, supervision=watched, tested=True)
        works.start()
        await works.ready()
        wrong.set()
        await until(lambda: not works.alive)  # found while idle
        assert "v is 1, not 0" in await refused(works, 5)
        wrong.clear()
        await until(lambda: works.alive)
        await works.stop()

    asyncio.run(main())


def test_canaries_are_not_counted_as_photos() -> None:
    async def main() -> None:
        model, metrics = NumberModel(), Metrics()
        model.go.set()
        works = engine(
            model, supervision=Supervision(**{**QUICK.__dict__, "canary_every": 0.02}), metrics=metrics, tested=True
        )
        works.start()
        await works.ready()
        await until(lambda: len(model.seen) > 3)
        await works.encode(photo(1))
        await works.stop()
        count = metrics.registry.get_sample_value
        assert count("duet_batch_size_count") == 1
        assert count("duet_stage_seconds_count", {"stage": "infer"}) == 1
        assert count("duet_stage_seconds_count", {"stage": "queue"}) == 1

    asyncio.run(main())


def test_a_failed_photo_makes_the_model_be_asked_for_the_canary() -> None:
    async def main() -> None:
        model = NumberModel()
        model.go.set()
        works = engine(model, supervision=QUICK, tested=True)
        works.start()
        await works.ready()
        asked = len(model.seen)

        def broken() -> None:
            raise RuntimeError("no memory left on the device")

        model.before = broken
        with pytest.raises(RuntimeError, match="no memory"):
            await works.encode(photo(1))
        await until(lambda: not works.alive)
        assert "no memory" in str(works.trouble)
        model.before = lambda: None
        await until(lambda: works.alive)
        assert len(model.seen) > asked
        assert len(model.threads) == 1  # nobody died
        await works.stop()

    asyncio.run(main())


def test_a_call_that_hangs_flips_readiness_and_one_that_comes_back_is_forgiven() -> None:
    async def main() -> None:
        model = NumberModel()
        model.go.set()
        slow = Supervision(**{**QUICK.__dict__, "model_timeout": 0.3})
        works = engine(model, Batching(max_batch=1), slow, tested=True)
        works.start()
        await works.ready()
        model.go.clear()
        photos = [asyncio.create_task(refused(works, n)) for n in (1, 2)]  # one hangs, one waits
        for told in await asyncio.gather(*photos):
            assert "has not answered for" in told
        assert not works.alive
        model.go.set()
        await until(lambda: works.alive)
        assert float((await works.encode(photo(3))).v[0]) == 3
        await works.stop()
        assert [2.0] not in model.seen

    asyncio.run(main())


def test_a_call_that_never_ends_gives_the_process_up_and_does_not_hold_its_end_up() -> None:
    async def main() -> None:
        model, reasons = NumberModel(), list[str]()
        slow = Supervision(**{**QUICK.__dict__, "model_timeout": 0.05})
        works = engine(model, supervision=slow, tested=True, give_up=reasons.append)
        works.start()
        await until(lambda: reasons)
        assert "has not answered for" in reasons[0]
        async with asyncio.timeout(10):
            await works.stop()  # the thread is still in the model, and would be for 20 s
        model.go.set()

    asyncio.run(main())


def test_a_black_photo_must_have_a_finite_answer() -> None:
    black = black_canary(4)
    assert black.pixels.shape == (3, 4, 4)
    assert not black.pixels.any()
    state = np.zeros(2, dtype=np.float32)
    assert black.fault(ImageState(v=np.ones(3, dtype=np.float32), state=state)) is None
    assert "not finite" in str(black.fault(ImageState(v=np.array([1, np.nan], dtype=np.float32), state=state)))
