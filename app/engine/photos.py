"""The service's threads that turn photos into pixels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.engine.memory_budget import MemoryBudget
from app.metrics import Metrics
from app.observability.spans import Span, here, tell
from duet_core.runtime.photos import PhotoLimits, photo_pixels


class PhotoReader:
    """A small pool of threads that decode and prepare.

    The photos that are decoded at one time share the memory that one photo may take (`limits.memory`): small ones side
    by side, the largest alone.
    """

    def __init__(
        self,
        *,
        prepare: Callable[[Image.Image], NDArray[np.float32]],
        limits: PhotoLimits,
        side: int,
        workers: int,
        metrics: Metrics,
    ) -> None:
        self._prepare = prepare
        self._limits = limits
        self._side = side
        self._metrics = metrics
        self._budget = MemoryBudget(limits.memory)
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="decode")

    async def pixels(self, data: bytes) -> NDArray[np.float32]:
        """Pixels (3, S, S) of a photo as the model reads them. Raises PhotoRefused."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._pixels, data, here())

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _pixels(self, data: bytes, span: Span | None) -> NDArray[np.float32]:
        start = time.monotonic()
        pixels = photo_pixels(data, prepare=self._prepare, limits=self._limits, side=self._side, room=self._budget)
        end = time.monotonic()
        self._metrics.stage_seconds.labels("decode").observe(end - start)
        tell(span, "decode", start, end)
        return pixels
