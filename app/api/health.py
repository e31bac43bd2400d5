"""Health that tells the truth, metrics, and what each problem means."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import Field
from starlette.responses import Response

from app.api.answers import Answer
from app.api.deps import TheService
from app.problems import KINDS, Problem
from app.registry.follower import DEFAULT_SPACE

router = APIRouter(tags=["Operation"])


class Alive(Answer):
    """The process answers."""

    status: Literal["alive"]


class StoreState(Answer):
    """How the default class space stands with its store."""

    kind: str = Field(examples=["sqlite", "redis"])
    trouble: str | None = Field(description="Why the store does not answer; null when it does.")
    age_seconds: float = Field(description="Since the store last said that the snapshot is the newest.")


class Readiness(Answer):
    """Photos can be classified."""

    status: Literal["ready"]
    model: str
    store: StoreState
    revision: int = Field(description="Of the default class space.")
    classes: int = Field(description="Seen and registered ones in the default class space.")


class ProblemKind(Answer):
    """What all problems of a type have in common."""

    type: str
    title: str
    status: int
    advice: str


@router.get("/livez", summary="Is the process alive?")
async def livez() -> Alive:
    """The process answers. Says nothing of the model or the store: see /readyz."""
    return Alive(status="alive")


@router.get("/readyz", summary="Can photos be classified?")
async def readyz(service: TheService) -> Readiness:
    """200 when photos can be classified: model checked, inference running, class space loaded. Else 503.

    A store that goes away later does not make a process unready: it classifies from its snapshot.
    """
    reasons = service.not_ready()
    if reasons:
        raise Problem("not-ready", "; ".join(reasons) + ".", {"errors": reasons}, {"Retry-After": "1"})
    snapshot = await service.follower.snapshot(DEFAULT_SPACE)
    return Readiness(
        status="ready",
        model=service.bundle.model_id,
        store=StoreState(
            kind=service.store.name,
            trouble=service.follower.trouble(DEFAULT_SPACE),
            age_seconds=round(service.follower.age_seconds(DEFAULT_SPACE), 3),
        ),
        revision=snapshot.revision,
        classes=len(snapshot.classes),
    )


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def metrics(request: Request) -> Response:
    """Requests, time in each stage, queue, refusals, decisions and their drift, readiness, the class spaces served."""
    registry: CollectorRegistry = request.app.state.metrics.registry  # also before there is a service
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/problems/{slug}", summary="What a problem means")
async def problem(
    slug: Annotated[str, Path(description="Last part of a problem's `type`.", examples=["class-exists"])],
    request: Request,
) -> ProblemKind:
    """What a problem's `type` means and what to do about it."""
    if slug not in KINDS:
        raise Problem("not-found", f"There is nothing at {request.url.path}.", {"allowed": sorted(KINDS)})
    kind = KINDS[slug]
    return ProblemKind(type=f"/problems/{slug}", title=kind.title, status=kind.status, advice=kind.advice)
