"""Whether photos queue without end: a burst may wait its turn, a queue that stands only makes every answer late."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BURST_SECONDS = 0.03
"""How long more than `steady` photos may be inside before the queue counts as standing."""


class StandingQueue:
    """Counts photos from the end of their bodies to their encoding. For the event loop alone.

    After a burst the queue runs empty again. Where it does not, more comes than can be computed, and whoever is let in
    beyond `steady` photos waits behind others without any of them being answered sooner (as in CoDel, RFC 8289, which
    looks at how long a queue has stood and not at how long it is).

    Args:
        steady: photos that keep all threads busy.
        seconds: how long there may be more.
        clock: seconds, monotonic.
    """

    def __init__(
        self, *, steady: int, seconds: float = BURST_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.steady = steady
        self._seconds = seconds
        self._clock = clock
        self._inside = 0
        self._over_since: float | None = None

    @property
    def refuses(self) -> bool:
        """Whether a new photo would only wait behind a queue that stands."""
        since = self._over_since
        return since is not None and self._inside >= self.steady and self._clock() - since >= self._seconds

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Around the work on a photo."""
        self._inside += 1
        if self._inside > self.steady and self._over_since is None:
            self._over_since = self._clock()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:  # idle for a moment: what came has been served
                self._over_since = None
