"""What a request is answered with: the parts that all models share, and one model; knows no routes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from app.engine.admission import Admission
from app.engine.image_states import ImageState, ImageStates
from app.engine.inference import Inference
from app.engine.labelled import LabelledPhotos
from app.engine.margins import MarginCache
from app.engine.photos import PhotoReader
from app.engine.setup import admission_of
from app.fetch.fetcher import PhotoFetcher
from app.fetch.opening import open_fetcher
from app.metrics import Metrics
from app.observability.request_record import current
from app.observability.spans import here, tell
from app.registry.follower import Follower
from app.registry.opening import open_store
from app.registry.snapshot import Snapshot
from app.registry.sqlite import SqliteStore
from app.served_model import ServedModel, open_model
from app.settings import Settings
from duet_core.runtime import Bundle, Candidates, ClassSet, Encoder, Ranking, rank_calibrated
from duet_core.runtime.scoring import Decision
from duet_core.runtime.text import TextInterpreter

if TYPE_CHECKING:
    from app.registry.redis import RedisStore

RANKED_HERE = 1000
"""Class sets up to this size are ranked in the event loop: 0.4 ms there, 0.7 ms with the way to a thread and back."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """Everything the routes need. It never changes: with another model the application has another one.

    A request takes one and keeps it to its end, so that no answer mixes two models. What changes while the process
    lives (places taken, figures counted) is inside the parts, which all of an application's services share.
    """

    settings: Settings
    metrics: Metrics
    store: RedisStore | SqliteStore
    admission: Admission
    model: ServedModel
    fetcher: PhotoFetcher | None = None
    """Fetches photos by their URL, where the operator allows it."""

    @property
    def bundle(self) -> Bundle:
        """The model's files, opened."""
        return self.model.bundle

    @property
    def encoder(self) -> Encoder:
        """Pixels to v and state, states to attribute scores."""
        return self.model.encoder

    @property
    def interpreter(self) -> TextInterpreter:
        """Sentences to degrees."""
        return self.model.interpreter

    @property
    def schema_id(self) -> str:
        """Fingerprint of the attributes that the degrees of new classes belong to."""
        return self.model.schema_id

    @property
    def follower(self) -> Follower:
        """Snapshots of the class spaces as the model sees them."""
        return self.model.follower

    @property
    def photos(self) -> PhotoReader:
        """Photos to pixels."""
        return self.model.photos

    @property
    def inference(self) -> Inference:
        """The queue in front of the model."""
        return self.model.inference

    @property
    def states(self) -> ImageStates:
        """What is remembered of photos."""
        return self.model.states

    @property
    def labelled(self) -> LabelledPhotos:
        """Photos whose class was told."""
        return self.model.labelled

    @property
    def margins(self) -> MarginCache:
        """Margins of those photos."""
        return self.model.margins

    async def start(self) -> None:
        """Run the model once, then follow the store. Raises StoreRefused, or what the model raised."""
        await self.model.start()

    async def stop(self) -> None:
        """Finish what was begun, then let go of everything."""
        if self.fetcher is not None:
            self.fetcher.close()
        await self.model.stop()
        await self.store.close()

    def decided(self, decision: Decision) -> None:
        """Count a decision on a photo, and let the request's log line tell it."""
        word = "accepted" if decision.accepted else "rejected"
        self.metrics.decisions.labels(word).inc()
        self.model.drift.observe(decision.score)
        request = current()
        if request is not None:
            request.decisions.append(word)

    def not_ready(self) -> list[str]:
        """Why photos cannot be classified now; empty when they can."""
        reasons = []
        if self.admission.closed:
            reasons.append("the process is ending")
        if self.inference.trouble is not None:
            reasons.append(self.inference.trouble)
        if not self.follower.ready:
            reasons.append(f"no snapshot of the default class space: {self.follower.trouble('default') or 'loading'}")
        return reasons

    async def encode(self, photo: bytes, *, find: bool = True) -> ImageState:
        """v and state of a photo, or of the object found in it. Raises PhotoRefused, InferenceStopped."""
        self.admission.check()
        with self.admission.queue.inside():
            return await self.model.encode(photo, find=find)

    def gamma(self, snapshot: Snapshot, asked: float | None = None) -> float:
        """γ for an answer: what the request asks for, else what the class space sets, else the bundle's."""
        chosen = snapshot.gamma if asked is None else asked
        return self.bundle.calibration.gamma if chosen is None else chosen

    async def rank(
        self, image: ImageState, classes: ClassSet, *, top_k: int, candidates: Candidates, gamma: float | None = None
    ) -> Ranking:
        """The best candidates of a class set for a photo, at the bundle's γ or another.

        Many classes are compared off the event loop. Raises RankingError.
        """
        start = time.monotonic()
        work = partial(rank_calibrated, self.bundle, image.v, classes, top_k=top_k, candidates=candidates, gamma=gamma)
        ranking = work() if len(classes) <= RANKED_HERE else await asyncio.to_thread(work)
        end = time.monotonic()
        self.metrics.stage_seconds.labels("score").observe(end - start)
        tell(here(), "score", start, end)
        return ranking


def build_service(settings: Settings, metrics: Metrics) -> Service:
    """Open the bundle and connect the parts; nothing runs yet. Raises BundleError, ProviderError, FetchUnavailable."""
    fetcher = open_fetcher(settings)
    store, admission = open_store(settings), admission_of(settings, metrics)
    model = open_model(settings.bundle, settings=settings, metrics=metrics, store=store, admission=admission)
    return Service(settings=settings, metrics=metrics, store=store, admission=admission, model=model, fetcher=fetcher)
