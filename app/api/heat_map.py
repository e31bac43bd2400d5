"""POST /explain/map: where in the photo a class or an attribute is seen, as a picture."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray
from PIL import Image

from app.api.deps import Find, Space, TheService, class_row, snapshot_of
from app.api.photo_source import PHOTO_OR_URL, photo_of
from app.api.places import ThePlace
from app.engine.place import Place
from app.problems import Problem
from app.registry.follower import DEFAULT_SPACE
from app.registry.snapshot import Snapshot
from app.service import Service
from duet_core.classes import FloatArray
from duet_core.runtime import Preprocessing
from duet_core.runtime.heat_map import Occlusion, overlay

router = APIRouter(tags=["Photos"])

_SCALE = 2
"""The picture is this many times as large as what the model sees."""


@dataclass(frozen=True)
class _Subject:
    """What the map is of: its name for the answer's header, and the weights (A,) of v."""

    name: str
    weights: FloatArray


@router.post(
    "/explain/map",
    summary="Where in the photo?",
    openapi_extra=PHOTO_OR_URL,
    response_class=Response,
    responses={
        200: {
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            "description": "The photo with its heat map.",
        }
    },
)
async def heat_map(
    request: Request,
    response: Response,
    service: TheService,
    class_id: Annotated[
        str | None,
        Query(max_length=64, description="A class; without it and without `attribute`, the first prediction."),
    ] = None,
    versus: Annotated[
        str | None, Query(max_length=64, description="Where the class is told from this one: the difference of scores.")
    ] = None,
    attribute: Annotated[
        str | None, Query(max_length=200, description="An attribute instead of a class, such as `wing color: blue`.")
    ] = None,
    find: Find = True,
    space: Space = DEFAULT_SPACE,
    *,
    place: ThePlace,
) -> Response:
    """Cover parts of the photo one after the other and colour those without which the score falls.

    The answer is a PNG of what the model sees of the photo (the object it found, else the central square, in grey);
    the header `X-Map-Of` names its subject. The photo is not kept, so it has to be sent; a map costs as much as
    classifying 26 photos.
    """
    if attribute is not None and (class_id is not None or versus is not None):
        raise Problem("invalid-parameter", "A map is of a class or of an attribute.", {"got": "both"})
    async with place.hold():
        photo = await photo_of(request, service)
        snapshot = await snapshot_of(service, space, response)
        for name in filter(None, (class_id, versus)):
            class_row(service, snapshot, name)
        _attribute_row(service, attribute)
        pixels = (await service.photos.look(photo, find=find)).pixels
        image = await service.inference.encode(pixels)
        if class_id is None and attribute is None:
            ranking = await service.rank(
                image, snapshot.classes, top_k=1, candidates="all", gamma=service.gamma(snapshot)
            )
            class_id = ranking.predictions[0].class_id
        subject = _subject(service, snapshot, class_id=class_id, versus=versus, attribute=attribute)
        covered = await _covered(service, pixels, place)
    drawn = await asyncio.to_thread(_drawn, service.bundle.preprocessing, pixels, image.v, covered, subject)
    headers = {name: value for name, value in response.headers.items() if name.startswith("x-")}  # staleness
    return Response(drawn, media_type="image/png", headers=headers | {"X-Map-Of": quote(subject.name, safe=" :,()")})


def _attribute_row(service: Service, attribute: str | None) -> int | None:
    if attribute is None:
        return None
    row = service.bundle.schema.find(attribute)
    if row is None:
        members = {"got": attribute, "example": service.bundle.schema.keys[0]}
        raise Problem("unknown-attribute", f"There is no attribute {attribute!r}.", members)
    return row


def _subject(
    service: Service, snapshot: Snapshot, *, class_id: str | None, versus: str | None, attribute: str | None
) -> _Subject:
    """Weights of a class are its vector less that of the mean class: what tells it from others, not what all share."""
    row = _attribute_row(service, attribute)
    if row is not None:
        weights = np.zeros(len(service.bundle.schema), dtype=np.float32)
        weights[row] = 1
        return _Subject(service.bundle.schema.keys[row], weights)
    classes = snapshot.classes
    assert class_id is not None
    own = classes.vector(class_row(service, snapshot, class_id))
    if versus is None:
        return _Subject(class_id, own - service.bundle.classes.z.mean(axis=0))
    return _Subject(f"{class_id} versus {versus}", own - classes.vector(class_row(service, snapshot, versus)))


async def _covered(service: Service, pixels: NDArray[np.float32], place: Place) -> FloatArray:
    """(M, A) v of the covered copies: as many at a time as there are free places, at most a batch.

    Photos of others get their turn in between, and all that waits is counted.
    """
    copies = await asyncio.to_thread(Occlusion().covered, pixels)
    step, found = place.grow(service.settings.max_batch), []
    for start in range(0, len(copies), step):
        found += await asyncio.gather(*(service.inference.encode(copy) for copy in copies[start : start + step]))
    return np.stack([image.v for image in found])


def _drawn(
    preprocessing: Preprocessing, pixels: NDArray[np.float32], v: FloatArray, covered: FloatArray, subject: _Subject
) -> bytes:
    heat = Occlusion().heat(v, covered, subject.weights, pixels.shape[-1])
    picture = Image.fromarray(preprocessing.picture(pixels))
    buffer = io.BytesIO()
    overlay(picture.resize([side * _SCALE for side in picture.size], Image.Resampling.BICUBIC), heat).save(
        buffer, "PNG"
    )
    return buffer.getvalue()
