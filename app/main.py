"""The application: settings in, FastAPI app out (`uvicorn app.main:create_app --factory`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware

from app import __version__, openapi, problems
from app.access.guard import RequireKey
from app.access.keyring import Keyring
from app.api import (
    admin,
    attributes,
    calibration,
    class_changes,
    classes,
    classify,
    explain,
    health,
    heat_map,
    huggingface,
    model,
    open_inference,
    spaces,
    transfer,
    translation,
)
from app.api.bodies import MULTIPART_OVERHEAD
from app.api.places import TIMEOUT_HEADER
from app.body_limit import LimitBodies
from app.drain import LAST_RESORT, drained_by_sigterm
from app.hang_up import NoticeHangUps
from app.head_requests import AnswerHead
from app.metrics import MeasureRequests, Metrics
from app.model_swap import ModelSwap
from app.observability import logs, telemetry
from app.observability.requests import HEADER, FollowRequests
from app.reopen import reopened_on_hangup
from app.response_headers import AddHeaders
from app.service import build_service
from app.settings import Settings
from app.web import gallery, pages

log = logging.getLogger("duet")

DESCRIPTION = """
Recognise classes that the model was never shown: **describe a class, and photos of it are recognised at once.**

1. `POST /classify` a photo: ranked classes, and whether any of them fits.
2. `POST /classes` a description: a sentence, named attributes or a vector.
3. `GET /explain` an answer: the attributes seen in the photo, and what each adds to the score.

Errors are `application/problem+json` (RFC 9457) and say what was got, what is allowed and what to do. Every answer has
an `X-Request-ID`, the one of the request or a new one; errors also name it as `request_id`, and so does the log.
"""


def create_app(settings: Settings | None = None, actor_of: Callable[[Request], str] | None = None) -> FastAPI:
    """The service as an ASGI app.

    `actor_of` names who sent a request, for the audit log; without it, it is the name of the API key.

    The bundle is opened when the server starts (lifespan), which ends with BundleError, StoreRefused or the like when
    it cannot be used. A store that does not answer is waited for: /readyz says 503 until it does.
    """
    chosen = settings if settings is not None else Settings()
    if settings is None:  # the app of a process that is nothing but the service: uvicorn app.main:create_app --factory
        logs.configure(chosen.log_format)
    metrics = Metrics()
    app = FastAPI(
        title="DUET serving",
        summary="Zero-shot image recognition with attributes you can read",
        description=DESCRIPTION,
        version=__version__,
        lifespan=_lifespan(chosen, metrics),
        redirect_slashes=False,  # the framework would make the address of the client's own Host header
        docs_url=None,
        redoc_url=None,
        responses={"default": problems.RESPONSE},
    )
    in_a_space = (classify, explain, heat_map, classes, class_changes, transfer, calibration)
    for router in (*(module.router for module in in_a_space), spaces.log_router):
        app.include_router(router)
        app.include_router(router, prefix="/spaces/{space}")
    for module in (spaces, attributes, model, admin, huggingface, open_inference, health, pages):
        app.include_router(module.router)
    app.state.actor_of = actor_of or _key_name
    app.state.metrics, app.state.models, app.state.telemetry = metrics, None, None
    metrics.live.service = lambda: app.state.models.service if app.state.models else None
    gallery.install(app, chosen.gallery)
    pages.mount_assets(app)
    openapi.install(app)
    problems.install(app)
    translation.install(app)
    app.add_middleware(
        LimitBodies,
        most=max(chosen.max_bytes, chosen.max_json_bytes) + MULTIPART_OVERHEAD,
        most_imported=chosen.max_import_bytes,
    )
    app.add_middleware(NoticeHangUps)
    app.add_middleware(RequireKey, keyring=_keyring(chosen))
    if chosen.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(chosen.cors_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "If-Match",
                "If-None-Match",
                TIMEOUT_HEADER,
                "X-API-Key",
                HEADER,
                "traceparent",
            ],
            expose_headers=[
                "ETag",
                "Location",
                "Retry-After",
                "WWW-Authenticate",
                "X-Map-Of",
                "X-Registry-Revision",
                "X-Registry-Stale",
                HEADER,
            ],
        )
    app.add_middleware(AnswerHead)
    app.add_middleware(MeasureRequests, metrics=metrics)
    app.add_middleware(AddHeaders)
    app.add_middleware(FollowRequests)
    return app


def _key_name(request: Request) -> str:
    """Who sent a request, for the audit log: the name of its key, "anonymous" where no key is needed."""
    return getattr(request.state, "actor", None) or "anonymous"


def _keyring(settings: Settings) -> Keyring | None:
    """The keys callers must show, or None when everyone may do everything, which the log says."""
    if settings.api_keys is None:
        log.warning("DUET_API_KEYS is not set: whoever reaches this service may classify and change classes")
        return None
    keyring = Keyring(settings.api_keys)
    log.warning("%d API keys read from %s", len(keyring), settings.api_keys)
    return keyring


def _lifespan(settings: Settings, metrics: Metrics) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with telemetry.sending(metrics.registry) as app.state.telemetry:
                models = ModelSwap(await asyncio.to_thread(build_service, settings, metrics))
                try:
                    await models.start()
                    app.state.models, bundle_id = models, models.service.bundle.model_id
                    log.info("ready: bundle %s, %d seen classes", bundle_id, len(models.service.bundle.classes))
                    close = models.service.admission.close
                    with reopened_on_hangup(models), drained_by_sigterm(close, settings.drain_seconds):
                        yield
                finally:
                    app.state.models = None
                    await models.stop()
        finally:
            LAST_RESORT.finish()

    return lifespan
