"""Memory shared by the photos that are decoded at one time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryBudget:
    """Threads take bytes out of it, in the order in which they came, and give them back.

    Strictly in order: a small photo waits behind a large one, or the large one would never find room.

    Args:
        total: bytes in all; None for no bound.
    """

    def __init__(self, total: int | None) -> None:
        self._free = self._total = total
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def __call__(self, need: int) -> Iterator[None]:
        """Wait for `need` bytes and hold them. One that needs more than all there is gets all, and is alone."""
        if self._total is None:
            yield
            return
        taken = min(need, self._total)
        self._take(taken)
        try:
            yield
        finally:
            with self._changed:
                self._free = self._left() + taken
                self._changed.notify_all()

    def _take(self, need: int) -> None:
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._waiting[0] is ticket and self._left() >= need)
            self._waiting.popleft()
            self._free = self._left() - need
            self._changed.notify_all()

    def _left(self) -> int:
        assert self._free is not None
        return self._free
