"""POST /classify: a photo in, ranked classes out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.api.answers import Classification, Decision, Model, PhotoBox, Prediction
from app.api.coverage import classes_at
from app.api.deps import NOW, AtMoment, Find, Gamma, Space, TheService, revision_header, snapshot_of
from app.api.photo_source import PHOTO_OR_URL, photo_of
from app.api.places import ThePlace
from app.engine.margins import Question
from app.observability.spans import stage
from app.problems import Problem
from app.registry.follower import DEFAULT_SPACE
from app.registry.snapshot import Snapshot
from app.service import Service
from duet_core.runtime import Candidates
from duet_core.runtime.finder import Box

router = APIRouter(tags=["Photos"])


TO_EXPLAIN: dict[str, Any] = {
    "links": {
        "explain": {"operationRef": "#/paths/~1explain/get", "parameters": {"image_id": "$response.body#/image_id"}}
    }
}
"""Says in /docs which part of the answer GET /explain wants."""


@router.post(
    "/classify",
    summary="Classify a photo",
    openapi_extra=PHOTO_OR_URL,
    responses={200: TO_EXPLAIN},
    response_model_exclude_none=True,
)
async def classify(
    request: Request,
    response: Response,
    service: TheService,
    top_k: Annotated[int, Query(ge=1, le=50, description="Classes to return.")] = 5,
    candidates: Annotated[
        Candidates,
        Query(description="Which classes compete: `all` (generalised zero-shot), only `seen` or only `unseen` ones."),
    ] = "all",
    gamma: Gamma = None,
    coverage: Annotated[
        float | None,
        Query(
            gt=0,
            lt=1,
            allow_inf_nan=False,
            description="Also name the set of classes that holds the right one this often, such as 0.9.",
        ),
    ] = None,
    find: Find = True,
    space: Space = DEFAULT_SPACE,
    moment: AtMoment = NOW,
    *,
    place: ThePlace,
) -> Classification:
    """Rank the classes of a class space for a photo.

    Send the photo as the multipart field `image`, or as the raw body with an image content type. JPEG, PNG and WebP,
    up to 10 MiB and 25 megapixels. The photo is not kept; `image_id` lets GET /explain say why for a while.
    """
    async with place.hold():
        photo = await photo_of(request, service)
        check_candidates(await snapshot_of(service, space, response, moment), candidates)
        image = await service.encode(photo, find=find)
    snapshot = await snapshot_of(service, space, response, moment)  # the newest, now that the model is done
    check_candidates(snapshot, candidates)
    question = Question(snapshot, service.gamma(snapshot, gamma), candidates)
    ranking = await service.rank(image, snapshot.classes, top_k=top_k, candidates=candidates, gamma=question.gamma)
    found = None if coverage is None else await classes_at(service, image, question, coverage)
    service.decided(ranking.decision)
    with stage("store.keep"):
        image_id = await service.states.keep(image)
    return Classification(
        image_id=image_id,
        box=None if image.box is None else photo_box(image.box),
        predictions=[Prediction(**vars(prediction)) for prediction in ranking.predictions],
        decision=Decision(**vars(ranking.decision)),
        coverage=found,
        model=model_of(service, question.gamma),
        revision=snapshot.revision,
    )


def model_of(service: Service, gamma: float) -> Model:
    """Which model answers, with the γ of this answer."""
    return Model(id=service.bundle.model_id, gamma=gamma, temperature=service.bundle.calibration.temperature)


def photo_box(box: Box) -> PhotoBox:
    """The box with edges to a ten-thousandth of the photo's sides."""
    return PhotoBox(**{edge: round(value, 4) for edge, value in vars(box).items()})


def check_candidates(snapshot: Snapshot, candidates: Candidates) -> None:
    """Raises Problem no-unseen-classes where only unseen classes compete and there is none."""
    if candidates == "unseen" and not snapshot.records:
        detail = f"No class is registered in space {snapshot.space!r}, so no unseen class can be recognised."
        members = {"got": "candidates=unseen", "allowed": ["all", "seen"]}
        raise Problem("no-unseen-classes", detail, members, revision_header(snapshot.revision))
