"""Until when an answer is of use. Set once for a request, read wherever work is begun for it."""

from __future__ import annotations

import math
import time
from contextvars import ContextVar


class DeadlineExceeded(Exception):
    """Nobody waits for the answer any more. `seconds` is the time that was allowed, None where it is not known.

    `retry_after` is in whole seconds.
    """

    def __init__(self, seconds: float | None = None, retry_after: int = 1) -> None:
        allowed = "" if seconds is None else f" of {seconds:g} s"
        super().__init__(f"the photo was not done within its time{allowed}")
        self.seconds = seconds
        self.retry_after = retry_after


DEADLINE: ContextVar[float] = ContextVar("deadline", default=math.inf)
"""`time.monotonic()` at which the work that runs in this context is late; tasks and threads begun in it inherit it."""


def seconds_left() -> float:
    """Seconds until the deadline of this context: infinite without one, negative after it."""
    return DEADLINE.get() - time.monotonic()
