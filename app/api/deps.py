"""What routes ask for by type: the service, and the query parameters several of them share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request, Response

from app.problems import Problem
from app.registry.follower import DEFAULT_SPACE
from app.registry.snapshot import Snapshot
from app.service import Service

SLUG = r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"
"""Ids of classes and class spaces: 1 to 64 lower-case letters, digits and inner hyphens."""


def get_service(request: Request) -> Service:
    """The service of this application. Raises Problem not-ready while there is none."""
    service = getattr(request.app.state, "service", None)
    if service is None:
        raise Problem("not-ready", "The service is starting.", headers={"Retry-After": "1"})
    assert isinstance(service, Service)
    return service


TheService = Annotated[Service, Depends(get_service)]
Space = Annotated[
    str, Query(pattern=SLUG, description="Class space: a named set of registered classes.", examples=[DEFAULT_SPACE])
]
Gamma = Annotated[
    float | None,
    Query(
        ge=-1000,
        le=1000,
        allow_inf_nan=False,
        description="γ of this answer, subtracted from the scores of seen classes; without it, the model's.",
    ),
]
ClassId = Annotated[str, Path(description="Id of a class.", examples=["yellow-headed-blackbird"])]


async def snapshot_of(service: Service, space: str, response: Response) -> Snapshot:
    """The snapshot to answer from; when the store is away the answer says for how long.

    Raises StoreUnavailable when there is none.
    """
    snapshot = await service.follower.snapshot(space)
    if service.follower.trouble(space) is not None:
        response.headers["X-Registry-Stale"] = f"{service.follower.age_seconds(space):.1f}"
    return snapshot
