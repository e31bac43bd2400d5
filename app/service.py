"""The parts of a running service and how they are put together; knows no routes."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

import numpy as np

from app.engine.admission import Admission
from app.engine.image_states import ImageState, ImageStates, MemoryImageStates, SharedImageStates, Shelf
from app.engine.inference import Inference
from app.engine.labelled import LabelledPhotos, RedisLabelledPhotos
from app.engine.labelled_sqlite import SqliteLabelledPhotos
from app.engine.margins import MarginCache
from app.engine.photo_file import PhotoFile, beside
from app.engine.photos import PhotoReader
from app.engine.state_shelves import RedisShelf, SqliteShelf
from app.metrics import Metrics
from app.registry.follower import Follower
from app.registry.opening import open_copies, open_store
from app.registry.redis import RedisStore
from app.registry.snapshot import SeenClasses, Snapshot, schema_fingerprint
from app.registry.sqlite import SqliteStore
from app.registry.store import ClassStore
from app.settings import Settings
from duet_core.runtime import CPU, CUDA, Bundle, Candidates, ClassSet, Encoder, Ranking, open_bundle, rank_calibrated
from duet_core.runtime.photos import PhotoLimits
from duet_core.runtime.text import TextInterpreter

log = logging.getLogger("duet.service")

STATE_SECONDS = 0.25
"""Longest wait of one photo's state for another process's write to the SQLite file."""


@dataclass(kw_only=True)
class Service:
    """Everything the routes need, one object an application."""

    settings: Settings
    metrics: Metrics
    bundle: Bundle
    encoder: Encoder
    interpreter: TextInterpreter
    schema_id: str
    store: ClassStore
    follower: Follower
    admission: Admission
    photos: PhotoReader
    inference: Inference
    states: ImageStates
    labelled: LabelledPhotos
    margins: MarginCache = field(default_factory=MarginCache)
    checked: bool = False
    """Whether the model has answered its first photo in this process."""

    async def start(self) -> None:
        """Run the model once, then follow the store. Raises StoreRefused, or what the model raised."""
        self.inference.start()
        side = self.bundle.preprocessing.size
        first = await self.inference.encode(np.zeros((3, side, side), dtype=np.float32))
        if not np.isfinite(first.v).all():
            raise RuntimeError(f"bundle {self.bundle.model_id}: v of a black photo is not finite; export it again")
        self.checked = True
        await self.follower.start()

    async def stop(self) -> None:
        """Finish what was begun, then let go of everything."""
        await self.follower.stop()
        await self.inference.stop()
        await asyncio.to_thread(self.photos.close)
        await self.states.close()
        await self.labelled.close()
        await self.store.close()

    def not_ready(self) -> list[str]:
        """Why photos cannot be classified now; empty when they can."""
        reasons = []
        if not self.checked:
            reasons.append("the model has not answered its first photo")
        elif not self.inference.alive:
            reasons.append("the inference thread has ended")
        if not self.follower.ready:
            reasons.append(f"no snapshot of the default class space: {self.follower.trouble('default') or 'loading'}")
        return reasons

    async def encode(self, photo: bytes) -> ImageState:
        """v and state of a photo. Raises PhotoRefused, InferenceStopped."""
        return await self.inference.encode(await self.photos.pixels(photo))

    def gamma(self, snapshot: Snapshot, asked: float | None = None) -> float:
        """γ for an answer: what the request asks for, else what the class space sets, else the bundle's."""
        chosen = snapshot.gamma if asked is None else asked
        return self.bundle.calibration.gamma if chosen is None else chosen

    async def rank(
        self, image: ImageState, classes: ClassSet, *, top_k: int, candidates: Candidates, gamma: float | None = None
    ) -> Ranking:
        """The best candidates of a class set for a photo, at the bundle's γ or another, off the event loop.

        Raises RankingError.
        """
        start = time.perf_counter()
        ranking = await asyncio.to_thread(
            rank_calibrated, self.bundle, image.v, classes, top_k=top_k, candidates=candidates, gamma=gamma
        )
        self.metrics.stage_seconds.labels("score").observe(time.perf_counter() - start)
        return ranking


def build_service(settings: Settings, metrics: Metrics) -> Service:
    """Open the bundle and connect the parts; nothing runs yet. Raises BundleError, ProviderError."""
    start = time.perf_counter()
    bundle = open_bundle(settings.bundle, providers=CUDA if settings.device == "cuda" else CPU)
    log.info("bundle %s opened in %.2f s", bundle.model_id, time.perf_counter() - start)
    encoder, store = Encoder(bundle), open_store(settings)
    seen = SeenClasses(classes=bundle.classes, degrees=bundle.degrees, schema=schema_fingerprint(bundle.schema))
    admission = Admission(limit=settings.queue_images, metrics=metrics)
    return Service(
        settings=settings,
        metrics=metrics,
        bundle=bundle,
        encoder=encoder,
        interpreter=TextInterpreter(bundle),
        schema_id=seen.schema,
        store=store,
        follower=Follower(
            store=store,
            seen=seen,
            poll_seconds=settings.poll_seconds,
            max_spaces=settings.max_spaces,
            copies=open_copies(settings),
        ),
        admission=admission,
        photos=PhotoReader(
            prepare=encoder.prepare,
            limits=PhotoLimits(pixels=settings.max_pixels, side=settings.max_side, aspect=settings.max_aspect),
            side=bundle.preprocessing.resize,
            workers=settings.decode_workers,
            metrics=metrics,
        ),
        inference=Inference(
            encode=encoder.encode_pixels, max_batch=settings.max_batch, observe=admission.observe, metrics=metrics
        ),
        states=_image_states(settings, store, bundle.model_id, metrics),
        labelled=_labelled(settings, store, bundle),
    )


def _image_states(settings: Settings, store: RedisStore | SqliteStore, model_id: str, metrics: Metrics) -> ImageStates:
    """Any process with the same store can explain a photo."""
    ttl, capacity = settings.image_ttl_seconds, settings.image_cache
    shelf: Shelf
    if isinstance(store, RedisStore):
        shelf = RedisShelf(client=store.client, ttl=ttl, model_id=model_id)
    else:
        file = PhotoFile(beside(store.path), timeout=min(STATE_SECONDS, settings.store_timeout_seconds), durable=False)
        shelf = SqliteShelf(file, ttl=ttl, capacity=capacity, model_id=model_id)
    return SharedImageStates(shelf=shelf, memory=MemoryImageStates(ttl=ttl, capacity=capacity), metrics=metrics)


def _labelled(settings: Settings, store: RedisStore | SqliteStore, bundle: Bundle) -> LabelledPhotos:
    """Labelled photos are shared by all processes with the same store."""
    if isinstance(store, RedisStore):
        return RedisLabelledPhotos(client=store.client, model_id=bundle.model_id)
    file = PhotoFile(beside(store.path), timeout=settings.store_timeout_seconds, durable=True)
    return SqliteLabelledPhotos(file, model_id=bundle.model_id)
