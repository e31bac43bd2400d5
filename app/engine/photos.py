"""The service's threads that turn photos into pixels."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from app.engine.memory_budget import MemoryBudget
from app.metrics import Metrics
from app.observability.spans import Span, here, tell
from duet_core.runtime import Encoder, Look
from duet_core.runtime.photos import PhotoLimits, photo_pixels


class PhotoReader:
    """A small pool of threads that decode and prepare.

    The photos that are decoded at one time share the memory that one photo may take (`limits.memory`): small ones side
    by side, the largest alone.
    """

    def __init__(
        self,
        *,
        encoder: Encoder,
        limits: PhotoLimits,
        side: int,
        workers: int,
        metrics: Metrics,
    ) -> None:
        self._encoder = encoder
        self._limits = limits
        self._side = side
        self._metrics = metrics
        self._budget = MemoryBudget(limits.memory)
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="decode")

    async def look(self, data: bytes, *, find: bool = True) -> Look:
        """A photo as the model reads it, cut to the object that it has a finder for. Raises PhotoRefused."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._look, data, find, here())

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _look(self, data: bytes, find: bool, span: Span | None) -> Look:
        start = time.monotonic()
        prepare = partial(self._encoder.look, find=find)
        look = photo_pixels(data, prepare=prepare, limits=self._limits, side=self._side, room=self._budget)
        end = time.monotonic()
        self._metrics.stage_seconds.labels("decode").observe(end - start)
        tell(span, "decode", start, end)
        return look
