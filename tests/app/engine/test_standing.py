"""A burst is let in and waits; a queue that stands turns away what is beyond the steady number."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from app.engine.admission import Admission, Overloaded
from app.engine.standing import StandingQueue
from app.metrics import Metrics


class Clock:
    """Stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def queue_of(steady: int) -> tuple[StandingQueue, Clock]:
    clock = Clock()
    return StandingQueue(steady=steady, seconds=0.03, clock=clock), clock


def test_a_burst_is_let_in_while_it_is_one() -> None:
    queue, clock = queue_of(2)
    with ExitStack() as photos:
        for _ in range(50):
            assert not queue.refuses
            photos.enter_context(queue.inside())
        clock.now = 0.02
        assert not queue.refuses
        clock.now = 0.03
        assert queue.refuses
    assert not queue.refuses  # it has run empty


def test_a_standing_queue_takes_one_for_each_that_leaves() -> None:
    queue, clock = queue_of(2)
    photos = [queue.inside() for _ in range(3)]
    for photo in photos:
        photo.__enter__()
    clock.now = 1.0
    assert queue.refuses
    photos[0].__exit__(None, None, None)
    assert queue.refuses  # two are inside, which is all
    photos[1].__exit__(None, None, None)
    assert not queue.refuses  # a thread is free
    with queue.inside():
        assert queue.refuses  # the queue has not run empty since
    photos[2].__exit__(None, None, None)
    with queue.inside(), queue.inside():
        assert not queue.refuses


def test_as_many_as_are_steady_never_make_it_stand() -> None:
    queue, clock = queue_of(2)
    with queue.inside(), queue.inside():
        clock.now = 100.0
        assert not queue.refuses


def test_a_photo_that_fails_leaves_too() -> None:
    queue, clock = queue_of(1)
    with pytest.raises(ValueError, match="broken"), queue.inside(), queue.inside():
        raise ValueError("broken")
    clock.now = 1.0
    assert not queue.refuses


def test_admission_refuses_while_the_queue_stands_though_places_are_free() -> None:
    queue, clock = queue_of(1)
    metrics = Metrics()
    places = Admission(limit=64, queue=queue, metrics=metrics)
    with queue.inside(), queue.inside():
        places.take(None)
        clock.now = 1.0
        with pytest.raises(Overloaded, match="1 photos") as refused:
            places.take(None)
        assert refused.value.retry_after >= 1
        places.take(None, 3, begun=True)  # more photos of a request that was let in
        with pytest.raises(Overloaded):
            places.check()
    places.take(None)
    assert metrics.registry.get_sample_value("duet_shed_total") == 2
    assert places.taken == 5
