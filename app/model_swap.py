"""Another bundle in place of the one that answers, without a failed request.

The new bundle is opened, checked and run once while the old one serves; then one reference is swapped. A request keeps
the model it began with; when the last of them has ended, the old model is let go of.
"""

from __future__ import annotations

import asyncio
import ctypes
import dataclasses
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.registry.snapshot import Snapshot
from app.registry.store import StoreError, now
from app.served_model import ServedModel, open_model
from app.service import Service

log = logging.getLogger("duet.model")

AskedBy = Literal["api", "signal"]
MOST_LEAVING = 2
"""Earlier models that may still be finishing requests when another swap begins; each holds its sessions in memory."""

LEAVE_SECONDS = 10.0
"""How long the end of the process waits for them."""


class SwapBusy(Exception):
    """Another swap is under way, or too many earlier models still finish requests."""


class SwapRefused(Exception):
    """The new bundle cannot serve; the message says why. The old one goes on."""


@dataclass(frozen=True)
class ModelName:
    """Which bundle: its model id, and the sha256 of its manifest."""

    id: str
    checksum: str

    @classmethod
    def of(cls, model: ServedModel) -> ModelName:
        """That of a model."""
        return cls(model.bundle.model_id, model.bundle.checksum)


@dataclass(frozen=True, kw_only=True)
class CarriedSpace:
    """What became of the registered classes of a class space.

    Attributes:
        kept: candidates as they were, since the new bundle has the attributes they were described for.
        re_embedded: candidates with degrees made anew for the new bundle's attributes.
        left_out: id and reason of those that are no candidates; the store keeps them.
        gamma: γ that the space sets itself, chosen for another model; None where it sets none.
    """

    space: str
    kept: int
    re_embedded: int
    left_out: Mapping[str, str]
    gamma: float | None

    @classmethod
    def of(cls, snapshot: Snapshot) -> CarriedSpace:
        """That of a snapshot of the new bundle."""
        carried = snapshot.carried()
        return cls(
            space=snapshot.space,
            kept=len(snapshot.records) - carried,
            re_embedded=carried,
            left_out={name: left.reason for name, left in snapshot.left_out.items()},
            gamma=snapshot.gamma,
        )


@dataclass(frozen=True, kw_only=True)
class Swap:
    """One attempt.

    Attributes:
        bundle: the name asked for, or that of the folder in DUET_BUNDLE.
        at: when it began, ISO 8601, UTC.
        seconds: from then until the new model answered, or was refused.
        before, now: what answered before it and after it; equal when it was refused, or the bundle is the same.
        spaces: the class spaces that were in use, for a swap that succeeded; others are read when they are.
        refused: why it was; None for one that succeeded.
    """

    bundle: str
    asked_by: AskedBy
    at: str
    seconds: float
    before: ModelName
    now: ModelName
    spaces: tuple[CarriedSpace, ...] = ()
    refused: str | None = None


class ModelSwap:
    """Holds the service that answers, and puts another in its place."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._task: asyncio.Task[Swap] | None = None
        self._leaving = set[asyncio.Task[None]]()
        self.last: Swap | None = None
        """The last attempt, whether it succeeded or not."""

    @property
    def service(self) -> Service:
        """That of the model which new requests get. Who uses it over an await takes `held` instead."""
        return self._service

    @property
    def leaving(self) -> int:
        """Earlier models whose requests have not all ended."""
        return len(self._leaving)

    @contextmanager
    def held(self) -> Iterator[Service]:
        """The service for one request, whose model stays until the request ends."""
        service = self._service
        with service.model.held():
            yield service

    async def start(self) -> None:
        """Start the first model. Raises what Service.start raises."""
        await self._service.start()

    async def stop(self) -> None:
        """Let go of everything, also of models that are still finishing requests."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        if self._leaving:  # the server has ended all requests, so they are about to
            _, late = await asyncio.wait(self._leaving, timeout=LEAVE_SECONDS)
            for task in late:
                task.cancel()
        await self._service.stop()

    async def swap(self, folder: Path, *, name: str, asked_by: AskedBy) -> Swap:
        """Serve the bundle in `folder` from now on. It is carried through even when the caller is cancelled.

        Args:
            name: what messages call the bundle; they never show where it lies.

        Raises SwapBusy, SwapRefused.
        """
        if self._task is not None and not self._task.done():
            raise SwapBusy("another bundle is being opened")
        if self.leaving >= MOST_LEAVING:
            raise SwapBusy(f"{self.leaving} earlier models still finish requests")
        self._task = asyncio.create_task(self._attempt(folder, name, asked_by), name="model-swap")
        done = await asyncio.shield(self._task)
        if done.refused is not None:
            raise SwapRefused(done.refused)
        return done

    async def _attempt(self, folder: Path, name: str, asked_by: AskedBy) -> Swap:
        began, start, before = now(), time.perf_counter(), ModelName.of(self._service.model)
        refused, spaces = None, tuple[CarriedSpace, ...]()
        try:
            spaces = await self._replace(folder)
        except Exception as error:  # whatever a bundle does, the old one goes on and the reason is told
            refused = str(error).replace(f"{folder}/", f"{name}/").replace(str(folder), name)
            refused = refused if isinstance(error, StoreError | RuntimeError) else f"{type(error).__name__}: {refused}"
            log.error("bundle %s is refused, %s goes on: %s", name, before.id, refused)  # the reason is enough
        outcome = "refused" if refused else "served"
        self._service.metrics.swaps.labels(outcome).inc()
        seconds, after = time.perf_counter() - start, ModelName.of(self._service.model)
        if not refused:
            log.warning("bundle %s (%s) answers in place of %s after %.2f s", name, after.id, before.id, seconds)
        self.last = Swap(
            bundle=name,
            asked_by=asked_by,
            at=began,
            seconds=seconds,
            before=before,
            now=after,
            spaces=spaces,
            refused=refused,
        )
        return self.last

    async def _replace(self, folder: Path) -> tuple[CarriedSpace, ...]:
        """What became of the classes.

        Raises whatever opening or starting the new model raises; then nothing has changed.
        """
        service = self._service
        old, new = (
            service.model,
            await asyncio.to_thread(
                open_model,
                folder,
                settings=service.settings,
                metrics=service.metrics,
                store=service.store,
                admission=service.admission,
            ),
        )
        try:
            await new.follower.begin_with(old.follower)
            await new.start()
            await new.follower.catch_up()  # what takes long
            old.successor = new  # a write that ends from now on is shown by both
            spaces = [CarriedSpace.of(snapshot) for snapshot in await new.follower.catch_up()]
        except BaseException:
            old.successor, new.stake.whole_process = None, False
            await new.stop()
            raise
        self._service = dataclasses.replace(service, model=new)
        old.stake.whole_process = False
        task = asyncio.create_task(_let_go(old), name="model-leaving")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return tuple(spaces)


async def _let_go(model: ServedModel) -> None:
    """End a model after its last request, and give its memory back."""
    name = model.bundle.model_id
    await model.unheld()
    try:
        await model.stop()
    except Exception:  # it is let go of all the same
        log.exception("ending model %s", name)
    del model
    await asyncio.to_thread(_trim)
    log.info("model %s has finished its requests and is gone", name)


def _trim() -> None:
    """Give what is free back to the system: glibc would keep the old model's memory, and more with every swap."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none, and need none
    if trim is not None:
        trim(0)
