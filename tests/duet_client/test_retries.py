"""Pauses: what the service asks for is kept to, patience ends, and clients spread out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duet_client import Retries
from duet_client.retries import retry_after_seconds

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 12:00:30 -0000", 30.0),
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
    ],
)
def test_what_a_header_asks_for(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@given(
    attempt=st.integers(1, 12),
    waited=st.floats(0, 100),
    retry_after=st.none() | st.floats(0, 200),
    retries=st.builds(
        Retries,
        attempts=st.integers(1, 10),
        first=st.floats(0, 5),
        longest=st.floats(0, 20),
        patience=st.floats(0, 100),
    ),
)
def test_bounds_hold_for_every_patience(
    attempt: int, waited: float, retry_after: float | None, retries: Retries
) -> None:
    pause = retries.pause(attempt, waited=waited, retry_after=retry_after)
    if attempt >= retries.attempts or waited + (retry_after or 0) > retries.patience:
        assert pause is None
    elif pause is not None:
        assert pause >= (retry_after or 0) - 1e-9
        assert waited + pause <= retries.patience + 1e-9


def test_pauses_grow_up_to_the_longest_and_differ() -> None:
    retries = Retries(attempts=10, first=1, longest=8, patience=1000)
    for attempt, span in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (9, 8)]:
        pauses = [retries.pause(attempt, waited=0, retry_after=None) or 0 for _ in range(50)]
        assert span / 2 <= min(pauses) < max(pauses) <= span


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first": -1}, {"patience": -0.1}])
def test_what_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="attempts is at least 1"):
        Retries(**wrong)  # type: ignore[arg-type]
