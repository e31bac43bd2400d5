"""Memory shared by the photos that are decoded at one time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from app.engine.allocator import give_back

LARGE = 32 * 2**20
"""Bytes from which on a photo's memory is given back to the machine before another one is decoded."""


class MemoryBudget:
    """Threads take bytes out of it, in the order in which they came, and give them back.

    Strictly in order: a small photo waits behind a large one, or the large one would never find room.

    Args:
        total: bytes in all; None for no bound.
    """

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._taken = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._queue)

    @contextmanager
    def __call__(self, need: int) -> Iterator[None]:
        """Wait for `need` bytes and hold them. One that needs more than all there is gets all, and is alone."""
        if self._total is None:
            yield
            return
        most = self._total
        need = min(need, most)
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            self._changed.wait_for(lambda: self._queue[0] is ticket and self._taken + need <= most)
            self._queue.popleft()
            self._taken += need
            self._changed.notify_all()  # the next in the queue may fit beside it
        try:
            yield
        finally:
            if need >= LARGE:
                give_back()
            with self._changed:
                self._taken -= need
                self._changed.notify_all()
