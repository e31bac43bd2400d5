"""What the engine, the registry and the model raise, as the problems a client reads."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import Response

from app.engine.admission import Draining, Overloaded, QuotaExceeded
from app.engine.deadline import DeadlineExceeded
from app.engine.image_states import OfOtherModel
from app.engine.inference import InferenceStopped
from app.engine.place import ClientGone
from app.problems import Problem, retry_after
from app.registry.follower import RevisionForgotten, RevisionNotReached
from app.registry.store import StoreCannotWrite, StoreRefused, StoreUnavailable
from duet_core.runtime import RankingError
from duet_core.runtime.photos import PhotoRefused

STORE_RETRY_SECONDS = 2
MENDED_SECONDS = 10
"""When to try again what somebody has to mend first."""
ENGINE = (Overloaded, QuotaExceeded, Draining, DeadlineExceeded, ClientGone, PhotoRefused, InferenceStopped)


def translated(error: Exception) -> Problem:
    """The problem for an error of the engine or the registry."""
    if isinstance(error, ENGINE):
        return _of_engine(error)
    if isinstance(error, StoreCannotWrite):
        detail = (
            f"The class store cannot be written to: {error.reason}. Nothing was written; photos are still classified "
            "and classes listed. The operator has to mend it."
        )
        return Problem("store-unavailable", detail, headers=retry_after(MENDED_SECONDS))
    if isinstance(error, StoreUnavailable | StoreRefused):
        detail = "The class store does not answer, so nothing was written or looked up; photos are still classified."
        return Problem("store-unavailable", detail, headers=retry_after(STORE_RETRY_SECONDS))
    if isinstance(error, RevisionNotReached):
        reached = {"got": error.wanted, "allowed": f"up to {error.reached}, at this moment"}
        return Problem("revision-not-reached", f"{error}.", reached, retry_after(1))
    if isinstance(error, RevisionForgotten):
        return Problem("revision-forgotten", f"{error}.")
    if isinstance(error, OfOtherModel):
        return Problem("image-of-other-model", f"{error}.", {"got": error.model, "allowed": error.served})
    assert isinstance(error, RankingError)
    return Problem("no-candidates", f"{error}.")


def _of_engine(error: Exception) -> Problem:
    if isinstance(error, Overloaded | QuotaExceeded):
        slug = "overloaded" if isinstance(error, Overloaded) else "quota-exceeded"
        return Problem(slug, f"{error}.", {"allowed": f"{error.limit} photos at once"}, retry_after(error.retry_after))
    if isinstance(error, DeadlineExceeded):
        return Problem("deadline-exceeded", f"{error}.", headers=retry_after(error.retry_after))
    if isinstance(error, ClientGone):
        return Problem("client-closed-request", f"{error}.")
    if isinstance(error, Draining):
        return Problem("shutting-down", f"{error}.", headers=retry_after(1) | {"Connection": "close"})
    if isinstance(error, PhotoRefused):
        return Problem(error.reason, str(error), error.members)
    assert isinstance(error, InferenceStopped)
    return Problem("not-ready", f"The model does not run: {error}.", headers=retry_after(5))


def install(app: FastAPI) -> None:
    """Translate wherever these errors leave a route."""

    async def handle(request: Request, error: Exception) -> Response:
        return translated(error).response(request.url.path)

    store = (StoreUnavailable, StoreRefused, RevisionNotReached, RevisionForgotten)
    for kind in (*ENGINE, *store, OfOtherModel, RankingError):
        app.add_exception_handler(kind, handle)
