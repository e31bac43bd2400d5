"""How many photos may be in the service at once; the rest is told when to come back."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager

from app.metrics import Metrics


class Overloaded(Exception):
    """No place is free. `retry_after` is in whole seconds."""

    def __init__(self, retry_after: int, limit: int) -> None:
        super().__init__(f"{limit} photos are being worked on, which is all this service takes at once")
        self.retry_after = retry_after
        self.limit = limit


class Admission:
    """Places counted in photos, taken before a body is read and held until its photo has been encoded."""

    def __init__(self, *, limit: int, metrics: Metrics) -> None:
        self._limit = limit
        self._metrics = metrics
        self._taken = 0
        self._seconds_per_image = 0.1

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one place. Raises Overloaded when all are taken."""
        if self._taken >= self._limit:
            self._metrics.shed.inc()
            raise Overloaded(self._retry_after(), self._limit)
        self._taken += 1
        self._metrics.in_flight.set(self._taken)
        try:
            yield
        finally:
            self._taken -= 1
            self._metrics.in_flight.set(self._taken)

    def observe(self, seconds_per_image: float) -> None:
        """Learn how long the model takes for a photo (moving average)."""
        self._seconds_per_image += 0.1 * (seconds_per_image - self._seconds_per_image)

    def _retry_after(self) -> int:
        """Time to empty the queue, spread a little so that those refused do not all come back together."""
        return max(1, math.ceil(self._taken * self._seconds_per_image * random.uniform(1.0, 1.5)))
