"""The queue in front of the model: what is computed together, what is not computed, who is answered with what."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.deadline import DEADLINE, DeadlineExceeded
from app.engine.image_states import ImageState
from app.engine.inference import Batching, Inference, InferenceStopped
from app.metrics import Metrics
from tests.app.engine.fake_models import POISON, NumberModel, engine, photo


def test_what_waits_is_taken_together_up_to_the_cap() -> None:
    async def main() -> None:
        model = NumberModel()
        works = engine(model, Batching(max_batch=4))
        works.start()
        first = asyncio.create_task(works.encode(photo(0)))
        await asyncio.sleep(0.05)  # the model has taken the first and waits
        rest = [asyncio.create_task(works.encode(photo(number))) for number in range(1, 10)]
        await asyncio.sleep(0)
        model.go.set()
        states = await asyncio.gather(first, *rest)
        assert [float(state.v[0]) for state in states] == list(range(10))
        assert [float(state.state[0]) for state in states] == list(range(0, 20, 2))
        assert model.batches == [1, 4, 4, 1]
        assert len(model.threads) == 1
        await works.stop()

    asyncio.run(main())


def test_photos_that_come_together_go_together_though_the_model_rests() -> None:
    async def main() -> None:
        model = NumberModel()
        model.go.set()
        works = engine(model)
        works.start()
        await works.encode(photo(0))
        await asyncio.sleep(0.1)  # the model rests

        async def busy() -> None:
            time.sleep(0.005)  # the loop is at other things between one photo and the next

        await asyncio.gather(*(task for n in range(8) for task in (works.encode(photo(n)), busy())))
        assert model.batches == [1, 8]
        await works.stop()

    asyncio.run(main())


def test_photos_nobody_waits_for_are_dropped() -> None:
    async def main() -> None:
        model = NumberModel()
        works = engine(model)
        works.start()
        first = asyncio.create_task(works.encode(photo(0)))
        await asyncio.sleep(0.05)
        gone, kept = (asyncio.create_task(works.encode(photo(number))) for number in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        model.go.set()
        await asyncio.gather(first, kept)
        assert model.batches == [1, 1]
        await works.stop()

    asyncio.run(main())


def test_a_failing_batch_fails_its_photos_only() -> None:
    async def main() -> None:
        model = NumberModel()
        model.go.set()
        works = engine(model)
        works.start()
        with pytest.raises(RuntimeError, match="unlucky"):
            await works.encode(photo(POISON))
        assert float((await works.encode(photo(1))).v[0]) == 1
        assert works.alive
        await works.stop()

    asyncio.run(main())


def test_stop_finishes_the_queue_then_refuses() -> None:
    async def main() -> None:
        model = NumberModel()
        works = engine(model, Batching(max_batch=2))
        works.start()
        waiting = [asyncio.create_task(works.encode(photo(number))) for number in range(5)]
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(works.stop())
        model.go.set()
        await stopping
        assert [float(state.v[0]) for state in await asyncio.gather(*waiting)] == [0, 1, 2, 3, 4]
        assert not works.alive
        with pytest.raises(InferenceStopped):
            await works.encode(photo(1))

    asyncio.run(main())


def number(state: ImageState) -> float:
    assert state.state[0] == 2 * state.v[0]
    return float(state.v[0])


def test_only_the_poison_photo_of_a_batch_fails() -> None:
    async def main() -> None:
        model, metrics = NumberModel(), Metrics()
        works = engine(model, metrics=metrics)
        works.start()
        first = asyncio.create_task(works.encode(photo(0)))
        await asyncio.to_thread(model.called.wait, 10)
        rest = [asyncio.create_task(works.encode(photo(n))) for n in (1, POISON, 3)]
        await asyncio.sleep(0)
        model.go.set()
        await first
        one, poisoned, three = await asyncio.gather(*rest, return_exceptions=True)
        assert isinstance(one, ImageState)
        assert isinstance(three, ImageState)
        assert (number(one), number(three)) == (1, 3)
        assert isinstance(poisoned, RuntimeError)
        assert model.seen == [[0], [1, POISON, 3], [1], [POISON], [3]]  # each once alone, no more
        assert metrics.registry.get_sample_value("duet_photos_failed_total") == 1
        await works.stop()

    asyncio.run(main())


def test_a_photo_whose_time_is_over_is_never_computed() -> None:
    async def main() -> None:
        model = NumberModel()
        works = engine(model)
        works.start()
        first = asyncio.create_task(works.encode(photo(0)))
        await asyncio.to_thread(model.called.wait, 10)
        DEADLINE.set(time.monotonic() + 0.05)
        late = asyncio.create_task(works.encode(photo(1)))
        await asyncio.sleep(0.1)
        model.go.set()
        with pytest.raises(DeadlineExceeded):
            await late
        await first
        await works.stop()
        assert model.seen == [[0]]

    asyncio.run(main())


def test_a_batch_waits_to_fill_when_asked_to_and_not_past_a_deadline() -> None:
    async def main() -> None:
        model = NumberModel()
        model.go.set()
        works = engine(model, Batching(max_batch=3, max_delay=30))
        works.start()
        waiting = [asyncio.create_task(works.encode(photo(n))) for n in (1, 2)]
        await asyncio.sleep(0.2)
        assert model.seen == []
        await asyncio.gather(*waiting, works.encode(photo(3)))  # full: 30 s have not passed
        DEADLINE.set(time.monotonic() + 5)
        assert number(await works.encode(photo(4))) == 4  # alone, in time: it does not raise
        assert model.batches == [3, 1]
        await works.stop()

    asyncio.run(main())


def test_padding_is_black_and_nobody_gets_its_answer() -> None:
    async def main() -> None:
        model = NumberModel()
        works = engine(model, Batching(max_batch=6, padded=True))
        works.start()
        first = asyncio.create_task(works.encode(photo(9)))
        await asyncio.to_thread(model.called.wait, 10)
        rest = [asyncio.create_task(works.encode(photo(n))) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        model.go.set()
        assert [number(state) for state in await asyncio.gather(first, *rest)] == [9, 1, 2, 3]
        assert model.seen == [[9], [1, 2, 3, 0]]
        await works.stop()

    asyncio.run(main())


@dataclass(frozen=True)
class Visitor:
    """A photo with the moment it comes, how long it may take, and when its client hangs up (in steps of 2 ms)."""

    comes: int
    patience: int | None
    hangs_up: int | None
    poison: bool


VISITORS = st.lists(
    st.builds(
        Visitor,
        comes=st.integers(0, 8),
        patience=st.none() | st.integers(0, 6),
        hangs_up=st.none() | st.integers(0, 6),
        poison=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=12,
)
STEP = 0.002


async def visit(works: Inference, number_: int, visitor: Visitor) -> str:
    """How the visit ended; an end that its visitor gave no reason for fails."""
    await asyncio.sleep(visitor.comes * STEP)
    if visitor.patience is not None:
        DEADLINE.set(time.monotonic() + visitor.patience * STEP)
    pixels = photo(number_)
    if visitor.poison:
        pixels[:, 1, 1] = POISON
    task = asyncio.create_task(works.encode(pixels))
    if visitor.hangs_up is not None:
        asyncio.get_running_loop().call_later(visitor.hangs_up * STEP, task.cancel)
    try:
        assert number(await task) == number_
    except DeadlineExceeded:
        assert visitor.patience is not None
        return "late"
    except asyncio.CancelledError:
        assert visitor.hangs_up is not None
        return "gone"
    except RuntimeError:
        assert visitor.poison
        return "poison"
    assert not visitor.poison
    return "answered"


@settings(max_examples=40, deadline=None)
@given(visitors=VISITORS, max_batch=st.integers(1, 4), max_delay=st.sampled_from([0.0, STEP]))
def test_no_photo_is_lost_or_answered_for_another(visitors: list[Visitor], max_batch: int, max_delay: float) -> None:
    async def main() -> tuple[list[str], NumberModel]:
        model = NumberModel()
        model.go.set()
        model.before = lambda: time.sleep(STEP / 2)
        works = engine(model, Batching(max_batch=max_batch, max_delay=max_delay))
        works.start()
        async with asyncio.timeout(20):  # a photo that is never answered would hang here
            ends = await asyncio.gather(*(visit(works, n, visitor) for n, visitor in enumerate(visitors)))
        await works.stop()
        return ends, model

    ends, model = asyncio.run(main())
    assert max((len(batch) for batch in model.seen), default=0) <= max_batch
    if not any(visitor.poison for visitor in visitors):  # else healthy ones are computed twice
        computed = [int(n) for batch in model.seen for n in batch]
        assert len(computed) == len(set(computed))
        assert all(end != "late" for n, end in enumerate(ends) if n in computed)
        assert all(n in computed for n, end in enumerate(ends) if end == "answered")
        if not any(visitor.comes for visitor in visitors):
            assert computed == sorted(computed)  # first come, first served
