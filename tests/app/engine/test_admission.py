"""The places in the service: never more than there are, given back whatever happens, left when nobody waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.admission import Admission, Draining, Overloaded, QuotaExceeded
from app.engine.deadline import DeadlineExceeded, seconds_left
from app.engine.place import ClientGone, Place
from app.metrics import Metrics


def admission(limit: int, key_limit: int | None = None) -> Admission:
    return Admission(limit=limit, key_limit=key_limit, metrics=Metrics())


class FakeClient:
    """Hangs up when told to."""

    def __init__(self) -> None:
        self.hang_up: Callable[[], None] | None = None

    def on_hang_up(self, call: Callable[[], None]) -> None:
        self.hang_up = call

    def forget(self) -> None:
        self.hang_up = None


def place(
    places: Admission, *, key: str | None = None, seconds: float = 20, client: FakeClient | None = None
) -> tuple[Place, Metrics]:
    metrics = Metrics()
    return Place(places, key=key, seconds=seconds, client=client, metrics=metrics), metrics


def test_places_are_counted_in_photos_and_refusals_say_when_to_come_back() -> None:
    places = admission(2)
    for _ in range(200):
        places.observe(3.0)
    places.take(None, 2)
    with pytest.raises(Overloaded) as caught:
        places.take(None)
    assert 6 <= caught.value.retry_after <= 9
    places.give(None, 1)
    with pytest.raises(Overloaded):
        places.take(None, 2)  # all or none
    places.take(None)


def test_a_key_has_its_share_and_only_its_own_photos_count_for_its_return() -> None:
    places = admission(10, key_limit=2)
    for _ in range(200):
        places.observe(3.0)
    places.take("camera", 2)
    places.take(None, 5)  # nobody's share
    with pytest.raises(QuotaExceeded) as caught:
        places.take("camera")
    assert 6 <= caught.value.retry_after <= 9
    assert "'camera'" in str(caught.value)
    places.take("phone", 2)
    places.give("camera", 1)
    places.take("camera")


def test_nothing_new_after_the_close_but_what_has_begun_may_grow() -> None:
    places = admission(3)
    places.take(None)
    places.close()
    with pytest.raises(Draining):
        places.take(None)
    places.take(None, begun=True)


@given(
    limit=st.integers(1, 8),
    key_limit=st.none() | st.integers(1, 8),
    steps=st.lists(st.tuples(st.booleans(), st.sampled_from([None, "a", "b"]), st.integers(1, 4)), max_size=50),
)
def test_the_bounds_hold_whatever_comes(
    limit: int, key_limit: int | None, steps: list[tuple[bool, str | None, int]]
) -> None:
    places, held = admission(limit, key_limit), Counter[str | None]()
    for arrives, key, count in steps:
        if not arrives:
            count = min(count, held[key])
            places.give(key, count)
            held[key] -= count
            continue
        over = key is not None and key_limit is not None and held[key] + count > key_limit
        full = held.total() + count > limit
        try:
            places.take(key, count)
        except QuotaExceeded:
            assert over
        except Overloaded:
            assert full
            assert not over
        else:
            assert not over
            assert not full
            held[key] += count
        assert places.taken == held.total() <= limit
        assert key_limit is None or max(held["a"], held["b"]) <= key_limit


def test_a_place_is_given_back_whatever_happens() -> None:
    async def main() -> None:
        places = admission(3)
        mine, _ = place(places)

        async def route() -> None:
            async with mine.hold():
                mine.more(1)
                assert places.taken == 2
                assert mine.grow(16) == 3
                with pytest.raises(Overloaded):
                    mine.more(1)
                raise ValueError("of the route")

        with pytest.raises(ValueError, match="of the route"):
            await route()
        assert places.taken == 0

    asyncio.run(main())


def test_time_that_is_over_ends_what_runs() -> None:
    async def main() -> None:
        places = admission(3)
        for _ in range(200):
            places.observe(3.0)
        mine, metrics = place(places, seconds=0.05)

        async def route() -> None:
            async with mine.hold():
                mine.more(1)
                assert 0 < seconds_left() <= 0.05
                await asyncio.sleep(20)

        with pytest.raises(DeadlineExceeded, match=r"0\.05 s") as caught:
            await route()
        assert 6 <= caught.value.retry_after <= 9  # two photos were there
        assert places.taken == 0
        assert metrics.registry.get_sample_value("duet_expired_total") == 2
        assert seconds_left() == float("inf")

    asyncio.run(main())


def test_a_timeout_of_something_else_is_not_the_deadline() -> None:
    async def main() -> None:
        mine, metrics = place(admission(1))

        async def route() -> None:
            async with mine.hold():
                raise TimeoutError("the store")

        with pytest.raises(TimeoutError, match="the store"):
            await route()
        assert metrics.registry.get_sample_value("duet_expired_total") == 0

    asyncio.run(main())


def test_a_client_that_hangs_up_ends_what_runs() -> None:
    async def main() -> None:
        places, client = admission(1), FakeClient()
        mine, metrics = place(places, client=client)

        async def route() -> None:
            async with mine.hold():
                assert client.hang_up is not None
                asyncio.get_running_loop().call_later(0.02, client.hang_up)
                await asyncio.sleep(20)

        with pytest.raises(ClientGone):
            await route()
        assert (places.taken, client.hang_up) == (0, None)
        assert metrics.registry.get_sample_value("duet_abandoned_total") == 1
        assert metrics.registry.get_sample_value("duet_expired_total") == 0

    asyncio.run(main())
