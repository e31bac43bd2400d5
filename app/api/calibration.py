"""POST, GET and DELETE /calibration: photos with the class they show, by which sets of classes are made trustworthy."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.api.answers import Answer
from app.api.bodies import ALSO_READ, IMAGE_TYPES, PHOTO_BODY, json_body, read_json, read_photo
from app.api.deps import Find, Gamma, Space, TheService, class_row, snapshot_of
from app.api.places import ThePlace
from app.engine.labelled import MOST_PHOTOS, Labelled
from app.engine.margins import Margins, Question
from app.engine.place import Place
from app.problems import Problem, from_errors
from app.registry.follower import DEFAULT_SPACE
from app.service import Service
from duet_core.runtime.conformal import order_statistic, photos_needed

router = APIRouter(tags=["Decisions"])

SHOWN_COVERAGES = (0.8, 0.9, 0.95, 0.99)


class LabelledAnswer(BaseModel):
    """A photo classified a short while ago, and what it shows."""

    model_config = ConfigDict(extra="forbid", strict=True)

    image_id: str = Field(max_length=64)
    class_id: str = Field(max_length=64)


class LabelledAnswers(BaseModel):
    """Labelled photos; with `append` they join those the space has, otherwise they take their place."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"photos": [{"image_id": "from POST /classify", "class_id": "yellow-headed-blackbird"}]}]
        },
    )

    photos: list[LabelledAnswer] = Field(min_length=1, max_length=MOST_PHOTOS)
    append: bool = False


def _body() -> dict[str, Any]:
    shown = json_body(LabelledAnswers)
    shown["requestBody"]["content"] |= PHOTO_BODY["requestBody"]["content"]
    return shown


class CoverageReached(Answer):
    """Whether sets of this coverage can be given to either group of classes, and how far they reach."""

    coverage: float
    margin_seen: float | None = Field(description="Seen classes this far below the best score are in; null: too few.")
    margin_unseen: float | None
    photos_needed: int = Field(description="Labelled photos that each group needs for it.")


class CalibrationState(Answer):
    """What a space's sets of classes rest on."""

    photos: int
    photos_seen: int = Field(description="Labelled photos of seen classes; copies of a photo count once.")
    photos_unseen: int
    accuracy: float | None = Field(description="Share of the labelled photos whose class is the first prediction.")
    coverages: list[CoverageReached]
    shared: bool = Field(description="Whether every process with the same store has them.")
    calibrated_at: int | None = Field(description="Revision of the space when the first of the photos was given.")
    revision: int = Field(description="Revision now; when it is another, the guarantee of sets is void.")


@router.post("/calibration", summary="Tell the class of photos", openapi_extra=_body())
async def calibrate(
    request: Request,
    response: Response,
    service: TheService,
    class_id: Annotated[
        str | None,
        Query(max_length=64, description="What a photo sent as the body shows.", examples=["yellow-headed-blackbird"]),
    ] = None,
    gamma: Gamma = None,
    find: Find = True,
    space: Space = DEFAULT_SPACE,
    *,
    place: ThePlace,
) -> CalibrationState:
    """Calibrate sets of classes (`coverage` of POST /classify) with photos whose class is known.

    Send JSON with the `image_id` of photos classified before and the `class_id` each shows; or one photo with
    `class_id`, which is added to those there are. The photos must be such as will be classified, drawn the same way:
    then sets hold the right class as often as asked. Seen and unseen classes are calibrated apart, each group with its
    own photos. When the classes of the space change later, answers say that the guarantee is void; what is kept of the
    photos is enough to go on with the new classes, but only photos given anew make it valid.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data" or kind in (*IMAGE_TYPES, *ALSO_READ):
        given, append = await _photo(request, response, service, place, class_id, space, find=find), True
    else:
        given, append = await _answers(request, response, service, space)
    old = await service.labelled.find(space) if append else None
    if old is not None and len(old.class_ids) + len(given.class_ids) > MOST_PHOTOS:
        allowed = {"got": len(old.class_ids) + len(given.class_ids), "allowed": f"{MOST_PHOTOS} photos a space"}
        raise Problem("invalid-calibration", "More labelled photos than a class space may have.", allowed)
    await service.labelled.keep(space, given, append=append)
    return await _state(service, response, space, gamma)


@router.get("/calibration", summary="What sets of classes rest on")
async def calibration(
    response: Response, service: TheService, gamma: Gamma = None, space: Space = DEFAULT_SPACE
) -> CalibrationState:
    """How many labelled photos the space has, and what coverage they are enough for."""
    return await _state(service, response, space, gamma)


@router.delete("/calibration", summary="Forget the labelled photos")
async def forget(response: Response, service: TheService, space: Space = DEFAULT_SPACE) -> CalibrationState:
    """Sets of classes then rest on the bundle's validation photos again, without a guarantee."""
    await service.labelled.forget(space)
    return await _state(service, response, space, None)


async def _photo(
    request: Request,
    response: Response,
    service: Service,
    place: Place,
    class_id: str | None,
    space: str,
    *,
    find: bool,
) -> Labelled:
    if class_id is None:
        raise Problem("invalid-calibration", "A photo needs its class_id.", {"example": "?class_id=painted-bunting"})
    snapshot = await snapshot_of(service, space, response)
    class_row(service, snapshot, class_id)
    async with place.hold():
        image = await service.encode(await read_photo(request, service.settings), find=find)
    return Labelled(snapshot.revision, image.v[None], (class_id,))


async def _answers(request: Request, response: Response, service: Service, space: str) -> tuple[Labelled, bool]:
    """Everything is checked before anything is kept."""
    try:
        told = LabelledAnswers.model_validate(await read_json(request, service.settings, LabelledAnswers))
    except ValidationError as error:
        raise from_errors("invalid-calibration", error.errors(include_url=False), LabelledAnswers) from None
    snapshot = await snapshot_of(service, space, response)
    for photo in told.photos:
        class_row(service, snapshot, photo.class_id)
    images = [await service.states.find(photo.image_id) for photo in told.photos]
    unknown = [photo.image_id for photo, image in zip(told.photos, images, strict=True) if image is None]
    if unknown:
        kept = f"{service.settings.image_ttl_seconds} s"
        detail = f"{len(unknown)} of the photos are not known (any more); they are kept for {kept}. Nothing was stored."
        raise Problem("image-not-found", detail, {"got": unknown[:10]})
    v = np.stack([image.v for image in images if image is not None])
    return Labelled(snapshot.revision, v, tuple(photo.class_id for photo in told.photos)), told.append


async def _state(service: Service, response: Response, space: str, gamma: float | None) -> CalibrationState:
    snapshot, labelled = await snapshot_of(service, space, response), await service.labelled.find(space)
    known = Margins(np.empty(0), np.empty(0, dtype=np.bool_))
    if labelled is not None:
        known = await service.margins.of(labelled, Question(snapshot, service.gamma(snapshot, gamma), "all"))
    found, seen = known.found, known.seen
    return CalibrationState(
        photos=len(found),
        photos_seen=int(seen.sum()),
        photos_unseen=int((~seen).sum()),
        accuracy=float((found == 0).mean()) if len(found) else None,
        coverages=[
            CoverageReached(
                coverage=coverage,
                margin_seen=order_statistic(found[seen], coverage),
                margin_unseen=order_statistic(found[~seen], coverage),
                photos_needed=photos_needed(coverage),
            )
            for coverage in SHOWN_COVERAGES
        ],
        shared=service.labelled.shared,
        calibrated_at=None if labelled is None else labelled.revision,
        revision=snapshot.revision,
    )
