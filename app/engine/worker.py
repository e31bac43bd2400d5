"""The thread that runs the model: it forms batches itself, so that no hop lies between one batch and the next."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.engine.deadline import DeadlineExceeded
from app.engine.image_states import ImageState
from app.engine.line import Job, Line
from app.metrics import Metrics
from app.observability.spans import tell, tell_batch
from duet_core.runtime import Encoded

EncodePixels = Callable[[NDArray[np.float32]], Encoded]


class InferenceStopped(Exception):
    """The model does not run in this process, or not now."""


@dataclass(frozen=True)
class Batching:
    """How photos are put together.

    Attributes:
        max_batch: most photos given to the model at once.
        max_delay: seconds the first photo may wait for others; 0 takes what is there.
        padded: whether batches are filled up with black to the next of `sizes`, so that a GPU meets few shapes.
    """

    max_batch: int = 16
    max_delay: float = 0.0
    padded: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes that padded batches have: powers of two, and the cap.

        >>> Batching(max_batch=12).sizes
        (1, 2, 4, 8, 12)
        """
        powers = [2**n for n in range(self.max_batch.bit_length()) if 2**n < self.max_batch]
        return (*powers, self.max_batch)

    def rows(self, photos: int) -> int:
        """Rows that the model is given for 1…max_batch photos."""
        return next(size for size in self.sizes if size >= photos) if self.padded else photos


class Worker:
    """One thread, from its start to its end; it has a queue of its own and leaves no photo of it unanswered.

    To be made and used in the event loop. The model's exceptions are answers; anything else ends the thread.

    Args:
        encode: pixels (B, 3, S, S) to v (B, A) and state (B, D); called in the thread only.
        observe: told in the event loop how many seconds a photo took.
    """

    def __init__(
        self, *, encode: EncodePixels, batching: Batching, observe: Callable[[float], None], metrics: Metrics
    ) -> None:
        self._encode = encode
        self._batching = batching
        self._observe = observe
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._line = Line(max_batch=batching.max_batch, max_delay=batching.max_delay)
        self._wake = threading.Condition()
        self._closed = False
        self._waking = False
        self._running: Sequence[Job] = ()
        self._batch_seconds = 0.0
        self._called: float | None = None
        self._rested = time.monotonic()
        self.failures = 0
        """How often the model raised."""
        self.ended: asyncio.Future[BaseException | None] = self._loop.create_future()
        """Done when the thread has ended: with what ended it, or None when it was closed."""
        self._thread = threading.Thread(target=self._main, name="inference", daemon=True)

    def start(self) -> None:
        """Begin to take photos."""
        self._thread.start()

    def put(self, job: Job) -> None:
        """Add a photo to the queue. Raises InferenceStopped after the end or `close`."""
        with self._wake:
            if self._closed:
                raise InferenceStopped("the inference thread has ended")
            self._line.put(job)
            self._metrics.queue_depth.set(len(self._line))
        if not self._waking:  # only when the loop has run what is ready: photos that come together go together
            self._waking = True
            self._loop.call_soon(self._notify)

    def close(self) -> None:
        """Finish what is queued, then end."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def fail(self, error: Exception) -> None:
        """Answer every photo, running or queued, with `error`."""
        with self._wake:
            jobs = [*self._running, *self._line.clear()]
            self._metrics.queue_depth.set(0)
        for job in jobs:
            _refuse(job, error)

    def busy_seconds(self) -> float:
        """How long the model has been at its present batch; 0 when it rests."""
        called = self._called
        return 0.0 if called is None else time.monotonic() - called

    def idle_seconds(self) -> float:
        """Time since the model was last at work; 0 while it is."""
        return 0.0 if self._called is not None else time.monotonic() - self._rested

    def _notify(self) -> None:
        self._waking = False
        with self._wake:
            self._wake.notify()

    def _main(self) -> None:
        error: BaseException | None = None
        try:
            while (batch := self._next()) is not None:
                self._running = batch
                self._work(batch)
                self._running = ()
        except BaseException as caught:  # also SystemExit: whatever ends the thread, its photos are answered
            error = caught
        self._tell(self._end, error)

    def _end(self, error: BaseException | None) -> None:
        self.close()
        self.fail(InferenceStopped("the inference thread has ended"))
        if not self.ended.done():
            self.ended.set_result(error)

    def _next(self) -> list[Job] | None:
        """The next batch, when it is due; None when there is nothing more to do."""
        with self._wake:
            while True:
                now, due = time.monotonic(), self._line.due(self._batch_seconds)
                if due <= now or (self._closed and len(self._line)):
                    batch, late = self._line.take(now)
                    self._metrics.queue_depth.set(len(self._line))
                    self._expire(late)
                    if batch:
                        return batch
                elif self._closed:
                    return None
                else:
                    self._wake.wait(None if due == float("inf") else due - now)

    def _work(self, batch: list[Job]) -> None:
        """Answer a batch; when it fails, each of its photos once more alone, so that only those at fault fail."""
        start = time.monotonic()
        for job in batch:
            if not job.canary:
                self._metrics.stage_seconds.labels("queue").observe(start - job.queued)
            tell(job.span, "queue", job.queued, start)
        try:
            self._answer(batch)
        except _ModelFailed as failure:
            if len(batch) == 1:
                self._fail(batch[0], failure.error)
                return
            for job in batch:
                self._alone(job)

    def _alone(self, job: Job) -> None:
        if job.late(time.monotonic()):
            self._expire([job])
        elif job.wanted:
            try:
                self._answer([job])
            except _ModelFailed as failure:
                self._fail(job, failure.error)

    def _answer(self, batch: list[Job]) -> None:
        """Raises _ModelFailed."""
        pixels = self._stacked(batch)
        self._called = start = time.monotonic()
        try:
            encoded = self._encode(pixels)
        except Exception as error:  # the model's failure is the answer to these photos; the next may do better
            self.failures += 1
            tell_batch([job.span for job in batch], start, time.monotonic(), error=error)
            raise _ModelFailed(error) from error
        finally:
            self._called, self._rested = None, time.monotonic()
        tell_batch([job.span for job in batch], start, self._rested)
        seconds = self._rested - start
        self._batch_seconds += 0.2 * (seconds - self._batch_seconds)
        if photos := sum(not job.canary for job in batch):
            self._metrics.batch_size.observe(photos)
        for _ in range(photos):
            self._metrics.stage_seconds.labels("infer").observe(seconds)
        states = [ImageState(v=encoded.v[row].copy(), state=encoded.state[row].copy()) for row in range(len(batch))]
        self._tell(self._settle, batch, states, seconds / len(batch))

    def _stacked(self, batch: list[Job]) -> NDArray[np.float32]:
        """(rows, 3, S, S); rows beyond the photos are black."""
        pixels = np.empty((self._batching.rows(len(batch)), *batch[0].pixels.shape), dtype=np.float32)
        np.stack([job.pixels for job in batch], out=pixels[: len(batch)])
        pixels[len(batch) :] = 0
        return pixels

    def _settle(self, batch: list[Job], states: list[ImageState], seconds: float) -> None:
        self._observe(seconds)
        for job, state in zip(batch, states, strict=True):
            if not job.answer.done():
                job.answer.set_result(state)

    def _fail(self, job: Job, error: Exception) -> None:
        self._metrics.failed.inc()
        self._tell(_refuse, job, error)

    def _expire(self, late: list[Job]) -> None:
        for job in late:
            self._tell(_refuse, job, DeadlineExceeded())

    def _tell(self, call: Callable[..., None], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(call, *args)


class _ModelFailed(Exception):
    def __init__(self, error: Exception) -> None:
        self.error = error


def _refuse(job: Job, error: Exception) -> None:
    if not job.answer.done():
        job.answer.set_exception(error)
