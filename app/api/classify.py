"""POST /classify: a photo in, ranked classes out."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.answers import Classification, Decision, Model, Prediction
from app.api.bodies import PHOTO_BODY, read_photo
from app.api.deps import NOW, AtMoment, Space, TheService, revision_header, snapshot_of
from app.problems import Problem
from app.registry.follower import DEFAULT_SPACE
from app.registry.snapshot import Snapshot
from app.service import Service
from duet_core.runtime import Candidates

router = APIRouter(tags=["Photos"])


@router.post("/classify", summary="Classify a photo", openapi_extra=PHOTO_BODY)
async def classify(
    request: Request,
    response: Response,
    service: TheService,
    top_k: Annotated[int, Query(ge=1, le=50, description="Classes to return.")] = 5,
    candidates: Annotated[
        Candidates,
        Query(description="Which classes compete: `all` (generalised zero-shot), only `seen` or only `unseen` ones."),
    ] = "all",
    space: Space = DEFAULT_SPACE,
    moment: AtMoment = NOW,
) -> Classification:
    """Rank the classes of a class space for a photo.

    Send the photo as the multipart field `image`, or as the raw body with an image content type. JPEG, PNG and WebP,
    up to 10 MiB and 25 megapixels. The photo is not kept; `image_id` lets GET /explain say why for a while.
    """
    with service.admission.place():
        photo = await read_photo(request, service.settings)
        _check_candidates(await snapshot_of(service, space, response, moment), candidates)
        image = await service.encode(photo)
    snapshot = await snapshot_of(service, space, response, moment)  # the newest, now that the model is done
    _check_candidates(snapshot, candidates)
    ranking = await service.rank(image, snapshot, top_k=top_k, candidates=candidates)
    service.metrics.decisions.labels("accepted" if ranking.decision.accepted else "rejected").inc()
    return Classification(
        image_id=await service.states.keep(image),
        predictions=[Prediction(**dataclasses.asdict(prediction)) for prediction in ranking.predictions],
        decision=Decision(**dataclasses.asdict(ranking.decision)),
        model=model_of(service),
        revision=snapshot.revision,
    )


def model_of(service: Service) -> Model:
    """Which model answers."""
    calibration = service.bundle.calibration
    return Model(id=service.bundle.model_id, gamma=calibration.gamma, temperature=calibration.temperature)


def _check_candidates(snapshot: Snapshot, candidates: Candidates) -> None:
    if candidates == "unseen" and not snapshot.records:
        detail = f"No class is registered in space {snapshot.space!r}, so no unseen class can be recognised."
        members = {"got": "candidates=unseen", "allowed": ["all", "seen"]}
        raise Problem("no-unseen-classes", detail, members, revision_header(snapshot))
