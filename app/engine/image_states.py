"""What is remembered of a photo so that it can be explained without a second upload: v and the state, for a while."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from app.metrics import Metrics
from app.registry.store import StoreError
from duet_core.classes import FloatArray
from duet_core.runtime.finder import Box


@dataclass(frozen=True)
class ImageState:
    """v (A,) predicted attributes and state (D,) of one photo; the photo itself is never kept.

    `box` is the part of it that was looked at, None for its central square; it is told once and not remembered.
    """

    v: FloatArray
    state: FloatArray
    box: Box | None = None


class OfOtherModel(Exception):
    """The photo was classified by another model, whose v and state mean nothing to this one."""

    def __init__(self, image_id: str, *, model: str, served: str) -> None:
        super().__init__(f"image_id {image_id!r} is of model {model}; {served} answers now")
        self.model, self.served = model, served


class ImageStates(Protocol):
    """Remembers states under ids nobody can guess."""

    async def keep(self, image: ImageState) -> str:
        """Remember; returns the new image id."""
        ...

    async def find(self, image_id: str) -> ImageState | None:
        """The state, or None when unknown or forgotten. Raises OfOtherModel."""
        ...

    async def close(self) -> None:
        """Finish what is under way."""
        ...


def new_image_id() -> str:
    """22 characters, 128 random bits: whoever has the id was given it."""
    return secrets.token_urlsafe(16)


class MemoryImageStates:
    """States of this process: at most `capacity`, each for `ttl` seconds, the oldest making room."""

    def __init__(self, *, ttl: float, capacity: int) -> None:
        self._ttl = ttl
        self._capacity = capacity
        self._kept: OrderedDict[str, tuple[float, ImageState]] = OrderedDict()

    async def keep(self, image: ImageState) -> str:
        """See ImageStates."""
        image_id = new_image_id()
        self.put(image_id, image)
        return image_id

    def put(self, image_id: str, image: ImageState) -> None:
        """Remember under a given id."""
        now = time.monotonic()
        self._kept[image_id] = (now + self._ttl, image)
        while len(self._kept) > self._capacity or next(iter(self._kept.values()))[0] < now:
            self._kept.popitem(last=False)

    async def find(self, image_id: str) -> ImageState | None:
        """See ImageStates."""
        expires, image = self._kept.get(image_id, (0.0, None))
        return image if time.monotonic() < expires else None

    async def close(self) -> None:
        """See ImageStates."""


@dataclass(frozen=True)
class Shelved:
    """A state as it lies on a shelf, and the fingerprint of the bundle it comes from."""

    model: str
    data: bytes


class Shelf(Protocol):
    """Where states lie for all processes and models, for a while."""

    async def put(self, image_id: str, shelved: Shelved) -> None:
        """Lay down. Raises StoreError."""
        ...

    async def get(self, image_id: str) -> Shelved | None:
        """What was laid down, or None when unknown or forgotten. Raises StoreError."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class SharedImageStates:
    """States of one model, shared by all processes through a shelf, and remembered here too.

    Classifying does not depend on the shelf: an answer waits at most `patience` seconds for the state to arrive there.
    When it cannot be reached the state is known to this process alone, which `duet_image_state_errors_total` counts.
    """

    patience = 0.05
    find_patience = 2.0
    most_pending = 64

    def __init__(self, *, model: str, shelf: Shelf, memory: MemoryImageStates, metrics: Metrics) -> None:
        self._model = model
        self._shelf = shelf
        self._memory = memory
        self._metrics = metrics
        self._pending: set[asyncio.Task[None]] = set()

    async def keep(self, image: ImageState) -> str:
        """See ImageStates."""
        image_id = await self._memory.keep(image)
        if len(self._pending) >= self.most_pending:
            self._metrics.state_errors.inc()
            return image_id
        task = asyncio.create_task(self._share(image_id, image))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        await asyncio.wait({task}, timeout=self.patience)
        return image_id

    async def find(self, image_id: str) -> ImageState | None:
        """See ImageStates. A shelf that cannot be reached makes the states of other processes unknown."""
        found = await self._memory.find(image_id)
        if found is not None:
            return found
        try:
            async with asyncio.timeout(self.find_patience):
                shelved = await self._shelf.get(image_id)
        except (StoreError, TimeoutError):
            self._metrics.state_errors.inc()
            return None
        if shelved is not None and shelved.model != self._model:
            raise OfOtherModel(image_id, model=shelved.model, served=self._model)
        return None if shelved is None else _unpacked(shelved.data)

    async def close(self) -> None:
        """See ImageStates."""
        if self._pending:
            await asyncio.wait(self._pending, timeout=2)
        await self._shelf.close()

    async def _share(self, image_id: str, image: ImageState) -> None:
        try:
            await self._shelf.put(image_id, Shelved(self._model, _packed(image)))
        except StoreError:
            self._metrics.state_errors.inc()


def _packed(image: ImageState) -> bytes:
    """A as 4 bytes, then v, then the state, all little-endian."""
    return len(image.v).to_bytes(4, "little") + image.v.astype("<f4").tobytes() + image.state.astype("<f4").tobytes()


def _unpacked(data: bytes) -> ImageState:
    count = int.from_bytes(data[:4], "little")
    numbers = np.frombuffer(data, dtype="<f4", offset=4).astype(np.float32)
    return ImageState(v=numbers[:count], state=numbers[count:])
