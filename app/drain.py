"""SIGTERM: take nothing new at once, tell who asks, and let the server end when what was begun is done."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger("duet.drain")

GIVEN_UP = 70
"""Exit status of a process that cannot be mended from within (EX_SOFTWARE): whoever runs it starts another."""
PATIENCE = 15.0
"""Seconds that such a process has to finish what else it began."""


@contextmanager
def drained_by_sigterm(close: Callable[[], None], seconds: float) -> Iterator[None]:
    """Inside, SIGTERM calls `close` at once, and `seconds` later the server's own handler; a second one does so now.

    Outside the main thread, or without a handler of the server's, nothing is changed.
    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    loop, begun = asyncio.get_running_loop(), False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal begun
        close()
        if begun or seconds <= 0:
            before(number, frame)
        else:
            begun = True
            loop.call_soon_threadsafe(loop.call_later, seconds, before, number, frame)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class LastResort:
    """Ends a process whose model cannot be mended, with the status GIVEN_UP."""

    def __init__(self) -> None:
        self._called = False

    def __call__(self, reason: str) -> None:
        """Begin to end as by SIGTERM. Should that hang, the process ends after PATIENCE seconds all the same."""
        if self._called or threading.current_thread() is not threading.main_thread():
            return
        self._called = True
        log.critical("ending with status %d: %s", GIVEN_UP, reason)
        timer = threading.Timer(PATIENCE, os._exit, (GIVEN_UP,))
        timer.daemon = True
        timer.start()
        signal.raise_signal(signal.SIGTERM)

    def finish(self) -> None:
        """The last thing a process does: give it the status, when it was called."""
        if self._called:
            logging.shutdown()
            os._exit(GIVEN_UP)


LAST_RESORT = LastResort()
"""There is one process, so there is one of it."""
