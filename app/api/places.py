"""A request's place in the engine: who asks, how long the answer is of use, whether the client is still there."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request

from app.api.deps import TheService
from app.engine.place import Place
from app.hang_up import STATE
from app.problems import Problem

TIMEOUT_HEADER = "X-Request-Timeout-Ms"


async def the_place(
    request: Request,
    service: TheService,
    timeout_ms: Annotated[
        int | None,
        Header(
            alias=TIMEOUT_HEADER,
            ge=1,
            description="Milliseconds after which the answer is of no use: what is not begun by then is not computed. "
            "Without it, and at most, as the service is set.",
            examples=[2000],
        ),
    ] = None,
) -> Place:
    """To be held (`hold`) while photos are read and encoded. Raises Problem invalid-parameter."""
    settings = service.settings
    most = round(settings.max_request_timeout_seconds * 1000)
    if timeout_ms is not None and timeout_ms > most:
        members = {"got": timeout_ms, "allowed": f"1…{most}", "example": f"{TIMEOUT_HEADER}: 2000"}
        raise Problem("invalid-parameter", f"{TIMEOUT_HEADER} is at most {most}.", members)
    return Place(
        service.admission,
        key=getattr(request.state, "actor", None),
        seconds=settings.request_timeout_seconds if timeout_ms is None else timeout_ms / 1000,
        client=getattr(request.state, STATE, None),
        metrics=service.metrics,
    )


ThePlace = Annotated[Place, Depends(the_place)]
