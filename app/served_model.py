"""One opened bundle at work, with everything that belongs to it and to no other model."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.drain import LAST_RESORT
from app.engine.admission import Admission
from app.engine.execution import execution_of
from app.engine.image_states import ImageState, ImageStates, MemoryImageStates, SharedImageStates, Shelf
from app.engine.inference import Inference
from app.engine.labelled import LabelledPhotos
from app.engine.labelled_sqlite import SqliteLabelledPhotos
from app.engine.margins import MarginCache
from app.engine.photo_file import PhotoFile, beside
from app.engine.photos import PhotoReader
from app.engine.setup import batching_of, supervision_of
from app.engine.state_shelves import SqliteShelf
from app.engine.supervision import black_canary
from app.metrics import Metrics
from app.observability.score_drift import ScoreDrift
from app.registry.carrier import Carrier
from app.registry.follower import Follower
from app.registry.opening import open_copies
from app.registry.snapshot import SeenClasses, schema_fingerprint
from app.registry.sqlite import SqliteStore
from app.settings import Settings
from duet_core.runtime import Bundle, Encoder, open_bundle
from duet_core.runtime.photos import PhotoLimits
from duet_core.runtime.text import TextInterpreter

if TYPE_CHECKING:  # its client takes as long to load as half of the service; with SQLite it is not needed
    from app.registry.redis import RedisStore

log = logging.getLogger("duet.service")

STATE_SECONDS = 0.25
"""Longest wait of one photo's state for another process's write to the SQLite file."""


@dataclass
class Stake:
    """Whether the process stands and falls with a model; not with one that is only tried, or is leaving."""

    whole_process: bool = False

    def give_up(self, reason: str) -> None:
        """The model cannot be mended from within."""
        if self.whole_process:
            LAST_RESORT(reason)


@dataclass(kw_only=True)
class ServedModel:
    """A bundle, its sessions and threads, and the class spaces as this bundle sees them.

    Requests hold it while they use it (`held`), so that its threads end after the last of them and not before.
    """

    bundle: Bundle
    encoder: Encoder
    interpreter: TextInterpreter
    schema_id: str
    carrier: Carrier
    follower: Follower
    photos: PhotoReader
    inference: Inference
    states: ImageStates
    labelled: LabelledPhotos
    drift: ScoreDrift
    stake: Stake
    margins: MarginCache = field(default_factory=MarginCache)
    successor: ServedModel | None = None
    """The model that answers or is about to answer in its place; writes are shown there too."""
    _holders: int = 0
    _unheld: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Run it once, then follow the store. Raises StoreRefused, InferenceStopped."""
        self.inference.start()
        await self.inference.ready()
        await self.follower.start()
        self.stake.whole_process = True

    async def stop(self) -> None:
        """Finish what was begun, then let go of everything but the store, which other models use too."""
        await self.follower.stop()
        await self.inference.stop()
        await asyncio.to_thread(self.photos.close)
        await self.states.close()
        await self.labelled.close()

    async def encode(self, photo: bytes, *, find: bool = True) -> ImageState:
        """v and state of a photo, or of the object found in it. Raises PhotoRefused, InferenceStopped."""
        look = await self.photos.look(photo, find=find)
        image = await self.inference.encode(look.pixels)
        return image if look.box is None else replace(image, box=look.box)

    @property
    def holders(self) -> int:
        """How many requests use it."""
        return self._holders

    @contextmanager
    def held(self) -> Iterator[None]:
        """Use it; it is not let go of meanwhile."""
        self._holders += 1
        self._unheld.clear()
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._unheld.set()

    async def unheld(self) -> None:
        """Return when no request uses it."""
        while self._holders:
            await self._unheld.wait()


def open_model(
    folder: Path, *, settings: Settings, metrics: Metrics, store: RedisStore | SqliteStore, admission: Admission
) -> ServedModel:
    """Open and check a bundle and connect its parts; nothing runs yet. Raises BundleError, ProviderError."""
    start = time.perf_counter()
    bundle = open_bundle(folder, execution=execution_of(settings))
    log.info("bundle %s opened in %.2f s", bundle.model_id, time.perf_counter() - start)
    encoder, interpreter, stake = Encoder(bundle), TextInterpreter(bundle), Stake()
    carrier, schema_id = Carrier(interpreter, bundle), schema_fingerprint(bundle.schema)
    seen = SeenClasses(classes=bundle.classes, degrees=bundle.degrees, schema=schema_id, carrier=carrier)
    return ServedModel(
        bundle=bundle,
        encoder=encoder,
        stake=stake,
        interpreter=interpreter,
        schema_id=schema_id,
        carrier=carrier,
        follower=Follower(
            store=store,
            seen=seen,
            poll_seconds=settings.poll_seconds,
            max_spaces=settings.max_spaces,
            copies=open_copies(settings, schema_id),
            observe_lag=metrics.registry_lag.observe,
        ),
        photos=PhotoReader(
            encoder=encoder,
            limits=PhotoLimits(
                pixels=settings.max_pixels,
                side=settings.max_side,
                aspect=settings.max_aspect,
                memory=settings.decode_memory,
            ),
            side=bundle.preprocessing.resize,
            workers=settings.decode_workers,
            metrics=metrics,
        ),
        inference=Inference(
            encode=encoder.encode_pixels,
            batching=batching_of(settings),
            observe=admission.observe,
            metrics=metrics,
            supervision=supervision_of(settings),
            canary=black_canary(bundle.preprocessing.size),
            give_up=stake.give_up,
        ),
        states=_image_states(settings, store, bundle.fingerprint, metrics),
        labelled=_labelled(settings, store, bundle),
        drift=ScoreDrift(bundle.calibration),
    )


def _image_states(settings: Settings, store: RedisStore | SqliteStore, model: str, metrics: Metrics) -> ImageStates:
    """Any process with the same store can explain a photo."""
    ttl, capacity = settings.image_ttl_seconds, settings.image_cache
    shelf: Shelf
    if isinstance(store, SqliteStore):
        file = PhotoFile(beside(store.path), timeout=min(STATE_SECONDS, settings.store_timeout_seconds), durable=False)
        shelf = SqliteShelf(file, ttl=ttl, capacity=capacity)
    else:
        from app.engine.redis_shelf import RedisShelf

        shelf = RedisShelf(client=store.client, ttl=ttl)
    memory = MemoryImageStates(ttl=ttl, capacity=capacity)
    return SharedImageStates(model=model, shelf=shelf, memory=memory, metrics=metrics)


def _labelled(settings: Settings, store: RedisStore | SqliteStore, bundle: Bundle) -> LabelledPhotos:
    """Labelled photos are shared by all processes with the same store."""
    if isinstance(store, SqliteStore):
        file = PhotoFile(beside(store.path), timeout=settings.store_timeout_seconds, durable=True)
        return SqliteLabelledPhotos(file, model_id=bundle.fingerprint)
    from app.engine.labelled_redis import RedisLabelledPhotos

    return RedisLabelledPhotos(client=store.client, model_id=bundle.fingerprint)
