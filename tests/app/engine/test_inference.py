"""The queue in front of the model, the places in the service, and the memory of photos."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from app.engine.admission import Admission, Overloaded
from app.engine.inference import Inference, InferenceStopped
from app.metrics import Metrics
from duet_core.runtime import Encoded


class SlowModel:
    """v is the photo's number; the model can be held back to let a queue build up."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.threads: set[int] = set()
        self.go = threading.Event()

    def __call__(self, pixels: NDArray[np.float32]) -> Encoded:
        assert self.go.wait(10)
        self.batches.append(len(pixels))
        self.threads.add(threading.get_ident())
        if (pixels == 13).any():
            raise RuntimeError("unlucky photo")
        v = pixels[:, 0, 0]
        return Encoded(v=v, state=v * 2)


def photo(number: float) -> NDArray[np.float32]:
    return np.full((3, 2, 2), number, dtype=np.float32)


def inference(model: SlowModel, max_batch: int = 16) -> Inference:
    admission = Admission(limit=99, metrics=Metrics())
    return Inference(encode=model, max_batch=max_batch, observe=admission.observe, metrics=Metrics())


def test_what_waits_is_taken_together_up_to_the_cap() -> None:
    async def main() -> None:
        model = SlowModel()
        engine = inference(model, max_batch=4)
        engine.start()
        first = asyncio.create_task(engine.encode(photo(0)))
        await asyncio.sleep(0.05)  # the model has taken the first and waits
        rest = [asyncio.create_task(engine.encode(photo(number))) for number in range(1, 10)]
        await asyncio.sleep(0)
        model.go.set()
        states = await asyncio.gather(first, *rest)
        assert [float(state.v[0]) for state in states] == list(range(10))
        assert [float(state.state[0]) for state in states] == list(range(0, 20, 2))
        assert model.batches == [1, 4, 4, 1]
        assert len(model.threads) == 1
        await engine.stop()

    asyncio.run(main())


def test_photos_nobody_waits_for_are_dropped() -> None:
    async def main() -> None:
        model = SlowModel()
        engine = inference(model)
        engine.start()
        first = asyncio.create_task(engine.encode(photo(0)))
        await asyncio.sleep(0.05)
        gone, kept = (asyncio.create_task(engine.encode(photo(number))) for number in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        model.go.set()
        await asyncio.gather(first, kept)
        assert model.batches == [1, 1]
        await engine.stop()

    asyncio.run(main())


def test_a_failing_batch_fails_its_photos_only() -> None:
    async def main() -> None:
        model = SlowModel()
        model.go.set()
        engine = inference(model)
        engine.start()
        with pytest.raises(RuntimeError, match="unlucky"):
            await engine.encode(photo(13))
        assert float((await engine.encode(photo(1))).v[0]) == 1
        assert engine.alive
        await engine.stop()

    asyncio.run(main())


def test_stop_finishes_the_queue_then_refuses() -> None:
    async def main() -> None:
        model = SlowModel()
        engine = inference(model, max_batch=2)
        engine.start()
        waiting = [asyncio.create_task(engine.encode(photo(number))) for number in range(5)]
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(engine.stop())
        model.go.set()
        await stopping
        assert [float(state.v[0]) for state in await asyncio.gather(*waiting)] == [0, 1, 2, 3, 4]
        assert not engine.alive
        with pytest.raises(InferenceStopped):
            await engine.encode(photo(1))

    asyncio.run(main())


def test_admission_counts_photos_and_says_when_to_come_back() -> None:
    admission = Admission(limit=2, metrics=Metrics())
    for _ in range(200):
        admission.observe(3.0)
    with admission.place():
        with contextlib.suppress(ValueError), admission.place():
            with pytest.raises(Overloaded) as caught:
                admission.place().__enter__()
            assert 6 <= caught.value.retry_after <= 9
            raise ValueError("a place is given back whatever happens")
        with admission.place():
            pass
