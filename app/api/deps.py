"""What routes ask for by type: the service, who asks, and the parameters that several of them share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response
from pydantic import Field

from app.model_swap import ModelSwap
from app.patterns import SLUG
from app.problems import Problem
from app.registry.follower import DEFAULT_SPACE
from app.registry.snapshot import Snapshot
from app.service import Service


# Dependencies are coroutines though they wait for nothing: FastAPI sends plain functions to a thread and back.
async def get_models(request: Request) -> ModelSwap:
    """What holds the model that answers. Raises Problem not-ready while there is none."""
    models = getattr(request.app.state, "models", None)
    if models is None:
        raise Problem("not-ready", "The service is starting.", headers={"Retry-After": "1"})
    assert isinstance(models, ModelSwap)
    return models


TheModels = Annotated[ModelSwap, Depends(get_models)]


async def get_service(models: TheModels) -> AsyncIterator[Service]:
    """The service of this request, to its end, whichever model takes over meanwhile. Raises Problem not-ready."""
    with models.held() as service:
        yield service


TheService = Annotated[Service, Depends(get_service)]
# Neither Query nor Path: below /spaces/{space} it comes from the path, at the root paths from the query.
Space = Annotated[
    str, Field(pattern=SLUG, description="Class space: a named set of registered classes.", examples=[DEFAULT_SPACE])
]
Gamma = Annotated[
    float | None,
    Query(
        ge=-1000,
        le=1000,
        allow_inf_nan=False,
        description="γ of this answer, subtracted from the scores of seen classes; without it, the class "
        "space's, else the model's.",
        examples=[1.2],
    ),
]
ClassId = Annotated[str, Path(description="Id of a class.", examples=["yellow-headed-blackbird"])]


def actor_of(request: Request) -> str:
    """Who asks, for the audit log: what `app.state.actor_of` says of the request, else "anonymous"."""
    hook = getattr(request.app.state, "actor_of", None)
    return str(hook(request)) if hook is not None else "anonymous"


Actor = Annotated[str, Depends(actor_of)]


@dataclass(frozen=True)
class Moment:
    """Which revision of a class space an answer is asked for; the newest that is here when both are None."""

    min_revision: int | None = None
    as_of: int | None = None


NOW = Moment()


async def the_moment(
    min_revision: Annotated[
        int | None, Query(ge=0, description="Answer from this revision or a later one, for example that of a write.")
    ] = None,
    as_of: Annotated[int | None, Query(ge=0, description="Answer as at this earlier revision.")] = None,
) -> Moment:
    """The query parameters. Raises Problem invalid-parameter for both at once."""
    if min_revision is not None and as_of is not None:
        got = {"got": {"min_revision": min_revision, "as_of": as_of}, "allowed": "one of the two"}
        raise Problem("invalid-parameter", "min_revision and as_of exclude each other.", got)
    return Moment(min_revision, as_of)


AtMoment = Annotated[Moment, Depends(the_moment)]


async def snapshot_of(service: Service, space: str, response: Response, moment: Moment = NOW) -> Snapshot:
    """The snapshot to answer from, named in X-Registry-Revision; when the store is away the answer says for how long.

    Raises StoreUnavailable when there is none, RevisionNotReached, RevisionForgotten.
    """
    follower = service.follower
    if moment.as_of is not None:
        snapshot = await follower.as_of(space, moment.as_of)
    elif moment.min_revision is not None:
        snapshot = await follower.at_least(space, moment.min_revision)
    else:
        snapshot = await follower.snapshot(space)
    response.headers.update(registry_headers(service, snapshot))
    return snapshot


Find = Annotated[
    bool,
    Query(
        description="Look for the object in the photo first, where the model can (`finder` of GET /model), and "
        "classify what is in its box; `false` takes the central square: for photos that are cut to the object."
    ),
]


def class_row(service: Service, snapshot: Snapshot, class_id: str) -> int:
    """Row of a class. Raises Problem class-not-found, which names the revision looked at."""
    row = snapshot.classes.row(class_id)
    if row is None:
        left = snapshot.left_out.get(class_id)
        why = "" if left is None else f" among the candidates of {service.bundle.model_id}: {left.reason}"
        raise missing(class_id, snapshot.space, registry_headers(service, snapshot), why)
    return row


def missing(class_id: str, space: str, headers: Mapping[str, str] | None = None, why: str = "") -> Problem:
    """No such class."""
    detail = f"Space {space!r} has no class {class_id[:80]!r}{why}."
    return Problem("class-not-found", detail, {"got": class_id[:80]}, headers or {})


def revision_header(revision: int) -> dict[str, str]:
    """Which revision an answer is made from, or has made."""
    return {"X-Registry-Revision": str(revision)}


def registry_headers(service: Service, snapshot: Snapshot) -> dict[str, str]:
    """Which revision an answer is made from, and its age in seconds while the store is away."""
    headers = revision_header(snapshot.revision)
    if service.follower.trouble(snapshot.space) is not None:
        headers["X-Registry-Stale"] = f"{service.follower.age_seconds(snapshot.space):.1f}"
    return headers
