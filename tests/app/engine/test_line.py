"""The queue of photos as such: order, deadlines, and when a batch is due."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.line import Job, Line
from app.engine.worker import Batching
from tests.app.engine.fake_models import photo


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.one_of(st.just(math.inf), st.floats(0, 20))),  # seconds until the deadline
        st.tuples(st.just("cancel"), st.floats(0, 1)),  # which of all photos
        st.tuples(st.just("wait"), st.floats(0, 10)),
        st.tuples(st.just("take"), st.just(0.0)),
    ),
    max_size=60,
)


@given(steps=STEPS, max_batch=st.integers(1, 5))
def test_every_photo_leaves_once_in_order_and_never_late(
    loop: asyncio.AbstractEventLoop, steps: list[tuple[str, float]], max_batch: int
) -> None:
    line, now = Line(max_batch=max_batch, max_delay=0), 0.0
    jobs: list[Job] = []
    left: list[Job] = []
    for step, value in [*steps, *[("take", 0.0)] * len(steps)]:
        if step == "put":
            jobs.append(Job(photo(0), loop.create_future(), now + value, now))
            line.put(jobs[-1])
        elif step == "wait":
            now += value
        elif step == "cancel" and jobs:
            jobs[min(int(value * len(jobs)), len(jobs) - 1)].answer.cancel()
        elif step == "take":
            batch, late = line.take(now)
            assert len(batch) <= max_batch
            assert all(job.wanted and now < job.deadline for job in batch)
            assert all(job.wanted and now >= job.deadline for job in late)
            left += sorted([*batch, *late], key=jobs.index)
    assert left == sorted(left, key=jobs.index)  # first come, first served
    assert len(left) == len(set(map(id, left)))  # once
    assert len(line) == 0
    assert all(job in left or job.answer.cancelled() for job in jobs)  # nobody's only were left out


@pytest.mark.parametrize(
    ("max_delay", "queued", "seconds", "due"),
    [
        (0.0, [(5.0, math.inf)], 1.0, 5.0),  # takes what is there
        (2.0, [(5.0, math.inf)], 1.0, 7.0),
        (2.0, [(5.0, math.inf), (6.0, math.inf)], 1.0, 7.0),  # the first one's wait counts
        (2.0, [(5.0, math.inf), (6.0, 7.5)], 1.0, 6.25),  # the batch takes 1 s and can spare 0.5 s
        (2.0, [(5.0, math.inf)] * 4, 1.0, -math.inf),  # full
        (2.0, [], 1.0, math.inf),
    ],
)
def test_when_a_batch_is_due(
    loop: asyncio.AbstractEventLoop, max_delay: float, queued: list[tuple[float, float]], seconds: float, due: float
) -> None:
    line = Line(max_batch=4, max_delay=max_delay)
    for came, deadline in queued:
        line.put(Job(photo(0), loop.create_future(), deadline, came))
    assert line.due(seconds) == due


@given(max_batch=st.integers(1, 256), photos=st.integers(1, 256))
def test_padded_batches_have_few_sizes_and_room(max_batch: int, photos: int) -> None:
    photos = min(photos, max_batch)
    padded, plain = (Batching(max_batch=max_batch, padded=choice) for choice in (True, False))
    assert photos <= padded.rows(photos) <= min(max_batch, 2 * photos)
    assert len(padded.sizes) <= math.log2(max_batch) + 2
    assert plain.rows(photos) == photos
