"""Photos that wait for the model: first come, first served. Late and unwanted ones are never handed out."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.engine.image_states import ImageState
from app.observability.spans import Span


@dataclass(eq=False)
class Job:
    """One photo.

    Attributes:
        pixels: (3, S, S).
        answer: belongs to the event loop; done when nobody waits any more.
        deadline: `time.monotonic()` from which the answer is of no use.
        queued: `time.monotonic()` at which it came.
        span: of its request, where that is traced.
        canary: asked by the service itself; metrics of photos leave it out.
    """

    pixels: NDArray[np.float32]
    answer: asyncio.Future[ImageState]
    deadline: float = math.inf
    queued: float = field(default_factory=time.monotonic)
    span: Span | None = None
    canary: bool = False

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for the answer."""
        return not self.answer.done()

    def late(self, now: float) -> bool:
        """Whether the deadline has passed."""
        return now >= self.deadline


class Taken(NamedTuple):
    """A batch in the order of arrival, and the late photos found on the way."""

    batch: list[Job]
    late: list[Job]


class Line:
    """A queue without threads or clocks of its own; the caller says what time it is.

    Args:
        max_batch: most photos of a batch.
        max_delay: seconds the first photo may wait for a batch to fill; 0 never waits.
    """

    def __init__(self, *, max_batch: int, max_delay: float) -> None:
        self._max_batch = max_batch
        self._max_delay = max_delay
        self._jobs: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job) -> None:
        """Add a photo at the end."""
        self._jobs.append(job)

    def due(self, seconds: float) -> float:
        """When the next batch is to be taken, given that the model takes `seconds` for it; infinite without photos.

        That is when it is full, when its first photo has waited for `max_delay`, or when one of its photos has waited
        for half of the time it can spare: the rest is for a machine that is busier than it was.
        """
        if not self._jobs:
            return math.inf
        if len(self._jobs) >= self._max_batch:
            return -math.inf
        latest = min(job.queued + max(0.0, job.deadline - job.queued - seconds) / 2 for job in self._jobs)
        return min(self._jobs[0].queued + self._max_delay, latest)

    def take(self, now: float) -> Taken:
        """The next batch, without photos that are late or that nobody wants."""
        taken = Taken([], [])
        while self._jobs and len(taken.batch) < self._max_batch:
            job = self._jobs.popleft()
            if not job.wanted:
                continue
            (taken.late if job.late(now) else taken.batch).append(job)
        return taken

    def clear(self) -> list[Job]:
        """Take everything out."""
        left = list(self._jobs)
        self._jobs.clear()
        return left
