"""How many photos may be in the service at once, and how many of one caller; the rest is told when to come back."""

from __future__ import annotations

import math
import random
from collections import Counter

from app.engine.standing import StandingQueue
from app.metrics import Metrics


class Overloaded(Exception):
    """No place is free. `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int, limit: int) -> None:
        super().__init__(f"{limit} photos are being worked on, which is all this service takes at once")
        self.retry_after = retry_after
        self.limit = limit


class QuotaExceeded(Exception):
    """One caller holds as many places as it may. `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int, key: str, limit: int) -> None:
        super().__init__(f"{limit} photos of the key {key!r} are being worked on, which is all it may have at once")
        self.retry_after = retry_after
        self.limit = limit


class Draining(Exception):
    """The process is ending: it finishes what it began and takes nothing new."""


class Admission:
    """Places counted in photos, taken before a body is read and held until its photo has been encoded.

    Args:
        limit: places there are.
        key_limit: most places of one key; None sets no bound. Callers without a key have none either.
        queue: what is being worked on; while it stands, nothing new is taken though places are free.
    """

    def __init__(
        self, *, limit: int, key_limit: int | None = None, queue: StandingQueue | None = None, metrics: Metrics
    ) -> None:
        self._limit = limit
        self._key_limit = key_limit
        self._metrics = metrics
        self.queue = queue or StandingQueue(steady=limit)
        self._taken = 0
        self._by_key: Counter[str] = Counter()
        self._seconds_per_image = 0.1
        self.closed = False
        """Whether nothing new is taken any more."""

    @property
    def taken(self) -> int:
        """Places that are held now."""
        return self._taken

    def close(self) -> None:
        """Take nothing new from now on; safe in a signal handler."""
        self.closed = True

    def take(self, key: str | None, count: int = 1, *, begun: bool = False) -> None:
        """Take all of `count` places or none. Raises QuotaExceeded, else Overloaded.

        Raises Draining after `close`, unless they are for a request that has `begun` and holds others.
        """
        if not begun:
            if self.closed:
                raise Draining("this process is ending")
            self.check()
        if count > self.room(key):
            if key is not None and self._key_limit is not None and self._by_key[key] + count > self._key_limit:
                self._metrics.over_quota.inc()
                raise QuotaExceeded(self._retry_after(self._by_key[key]), key, self._key_limit)
            self._metrics.shed.inc()
            raise Overloaded(self._retry_after(self._taken), self._limit)
        self._change(key, count)

    def check(self) -> None:
        """Raise Overloaded while the queue stands. Asked again when a body has come: others may have been faster."""
        if self.queue.refuses:
            self._metrics.shed.inc()
            raise Overloaded(self._retry_after(self._taken), self.queue.steady)

    def room(self, key: str | None) -> int:
        """How many places this caller could take now."""
        free = self._limit - self._taken
        return free if key is None or self._key_limit is None else min(free, self._key_limit - self._by_key[key])

    def give(self, key: str | None, count: int) -> None:
        """Give places back."""
        self._change(key, -count)

    def observe(self, seconds_per_image: float) -> None:
        """Learn how long the model takes for a photo (moving average)."""
        self._seconds_per_image += 0.1 * (seconds_per_image - self._seconds_per_image)

    def retry_after(self) -> int:
        """When everything that is here now should be done, in whole seconds."""
        return self._retry_after(self._taken)

    def _change(self, key: str | None, count: int) -> None:
        self._taken += count
        self._metrics.in_flight.set(self._taken)
        if key is not None:
            self._by_key[key] += count

    def _retry_after(self, photos: int) -> int:
        """Time for so many photos, spread a little so that those refused do not all come back together."""
        return max(1, math.ceil(photos * self._seconds_per_image * random.uniform(1.0, 1.5)))
