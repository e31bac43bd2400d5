"""One thread runs the model; it takes whatever waits, up to a cap, and never waits for more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.engine.image_states import ImageState
from app.metrics import Metrics
from duet_core.runtime import Encoded

EncodePixels = Callable[[NDArray[np.float32]], Encoded]


class InferenceStopped(Exception):
    """The model no longer runs in this process."""


@dataclass
class _Job:
    pixels: NDArray[np.float32]
    answer: asyncio.Future[ImageState]
    queued: float = field(default_factory=time.perf_counter)


class Inference:
    """A queue in front of the model. Letter key: B photos, A attributes, D width of the state, S side.

    Args:
        encode: pixels (B, 3, S, S) to v (B, A) and state (B, D); called in one thread only.
        max_batch: most photos given at once.
        observe: told the seconds each photo took.
    """

    def __init__(
        self, *, encode: EncodePixels, max_batch: int, observe: Callable[[float], None], metrics: Metrics
    ) -> None:
        self._encode = encode
        self._max_batch = max_batch
        self._observe = observe
        self._metrics = metrics
        self._queue: asyncio.Queue[_Job | None] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to take photos."""
        self._task = asyncio.create_task(self._run(), name="inference")

    @property
    def alive(self) -> bool:
        """Whether photos are being taken."""
        return self._task is not None and not self._task.done()

    async def encode(self, pixels: NDArray[np.float32]) -> ImageState:
        """v (A,) and state (D,) of one photo's pixels (3, S, S). Raises InferenceStopped, or what the model raised."""
        if not self.alive:
            raise InferenceStopped("the inference thread does not run")
        job = _Job(pixels, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(job)
        self._metrics.queue_depth.set(self._queue.qsize())
        return await job.answer

    async def stop(self) -> None:
        """Finish what is queued, then end."""
        if self._task is not None:
            self._queue.put_nowait(None)
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown()

    async def _run(self) -> None:
        stopping = False
        try:
            while not stopping:
                batch, stopping = await self._next_batch()
                if batch:
                    await self._answer(batch)
        finally:
            while not self._queue.empty():
                left = self._queue.get_nowait()
                if left is not None and not left.answer.done():
                    left.answer.set_exception(InferenceStopped("the inference thread ended"))

    async def _next_batch(self) -> tuple[list[_Job], bool]:
        """Everything queued, up to the cap, without those whose client is gone; and whether to end after it."""
        jobs = [await self._queue.get()]
        while len(jobs) < self._max_batch and not self._queue.empty():
            jobs.append(self._queue.get_nowait())
        self._metrics.queue_depth.set(self._queue.qsize())
        return [job for job in jobs if job is not None and not job.answer.done()], None in jobs

    async def _answer(self, batch: list[_Job]) -> None:
        start = time.perf_counter()
        for job in batch:
            self._metrics.stage_seconds.labels("queue").observe(start - job.queued)
        pixels = np.stack([job.pixels for job in batch])  # (B, 3, S, S)
        try:
            encoded = await asyncio.get_running_loop().run_in_executor(self._thread, self._encode, pixels)
        except Exception as error:  # the model's failure is the answer to these photos; the next may do better
            for job in batch:
                if not job.answer.done():
                    job.answer.set_exception(error)
            return
        seconds = time.perf_counter() - start
        self._observe(seconds / len(batch))
        self._metrics.batch_size.observe(len(batch))
        for row, job in enumerate(batch):
            self._metrics.stage_seconds.labels("infer").observe(seconds)
            if not job.answer.done():
                job.answer.set_result(ImageState(v=encoded.v[row].copy(), state=encoded.state[row].copy()))
