"""GET and POST /explain: what a photo shows, and why it fits a class."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response

from app.api.answers import Contribution, ExplainedClass, Explanation, GroundedPromptSet, PhotoAttribute
from app.api.classify import model_of
from app.api.contrast import contrast, edits_for
from app.api.deps import NOW, AtMoment, Find, Gamma, Space, TheService, class_row, snapshot_of
from app.api.photo_source import PHOTO_OR_URL, photo_of
from app.api.places import ThePlace
from app.engine.image_states import ImageState
from app.problems import Problem
from app.registry.follower import DEFAULT_SPACE
from app.registry.snapshot import Snapshot
from app.service import Service
from duet_core.runtime import contributions, ground

router = APIRouter(tags=["Photos"])

ClassToExplain = Annotated[
    str | None, Query(max_length=64, description="The class to explain; without it, the first prediction over all.")
]
Versus = Annotated[
    str | None,
    Query(max_length=64, description="Why not this class? Adds what each attribute adds to the difference of scores."),
]
Edits = Annotated[
    bool,
    Query(description="Also name the fewest edits with which `versus` (or the best other class) would be the answer."),
]
Limit = Annotated[
    int | None, Query(ge=1, description="Contributions to list, largest first; without it, those of all attributes.")
]


@dataclass(frozen=True)
class Asked:
    """What a client wants to know of a photo, from the query."""

    class_id: ClassToExplain = None
    versus: Versus = None
    edits: Edits = False
    limit: Limit = None
    gamma: Gamma = None


@router.get("/explain", summary="Explain a photo classified before")
async def explain(
    response: Response,
    service: TheService,
    image_id: Annotated[str, Query(max_length=64, description="From the answer of POST /classify.")],
    asked: Annotated[Asked, Depends()],
    space: Space = DEFAULT_SPACE,
    moment: AtMoment = NOW,
) -> Explanation:
    """Explain a photo that was classified a short while ago.

    The grounding names the three best attributes of every prompt set. The contributions v·z of the attributes sum to
    the score of the class. With `versus`, the contributions of another class are taken off: they sum to the difference
    of the scores. With `edits`, the fewest changes of that class's degrees (of models with prototypes: few, none of
    which can be left out), and the fewest of what the photo shows, with which it would be the answer.
    """
    image = await service.states.find(image_id)
    if image is None:
        kept = f"{service.settings.image_ttl_seconds} s"
        raise Problem(
            "image-not-found",
            f"No photo is known under this image_id; it is kept for {kept}. Send the photo to POST /explain.",
            {"got": image_id, "example": "curl -F image=@photo.jpg …/explain"},
        )
    return await _explanation(service, await snapshot_of(service, space, response, moment), image_id, image, asked)


@router.post("/explain", summary="Explain a photo", openapi_extra=PHOTO_OR_URL)
async def explain_photo(
    request: Request,
    response: Response,
    service: TheService,
    asked: Annotated[Asked, Depends()],
    find: Find = True,
    space: Space = DEFAULT_SPACE,
    moment: AtMoment = NOW,
    *,
    place: ThePlace,
) -> Explanation:
    """Explain a photo sent with the request, for those who kept no `image_id`."""
    async with place.hold():
        photo = await photo_of(request, service)
        early = await snapshot_of(service, space, response, moment)
        for asked_for in filter(None, (asked.class_id, asked.versus)):
            class_row(service, early, asked_for)
        image = await service.encode(photo, find=find)
    image_id = await service.states.keep(image)
    return await _explanation(service, await snapshot_of(service, space, response, moment), image_id, image, asked)


async def _explanation(
    service: Service, snapshot: Snapshot, image_id: str, image: ImageState, asked: Asked
) -> Explanation:
    gamma = service.gamma(snapshot, asked.gamma)
    ranking = await service.rank(image, snapshot.classes, top_k=2, candidates="all", gamma=gamma)
    best = ranking.predictions[0]
    class_id = asked.class_id or best.class_id
    row = class_row(service, snapshot, class_id)
    keys = service.bundle.schema.keys
    against = changed = None
    if asked.versus is not None:
        against = contrast(image.v, snapshot, row, class_row(service, snapshot, asked.versus), gamma, keys)
    if asked.edits:
        others = [prediction.class_id for prediction in ranking.predictions[1:]]
        wanted = asked.versus or (class_id if class_id != best.class_id else next(iter(others), None))
        if wanted is not None:
            changed = await asyncio.to_thread(edits_for, image.v, snapshot, wanted, best, gamma, keys)
    scores = await asyncio.to_thread(service.encoder.attribute_scores, image.state[None])  # (1, A)
    grounding = [
        GroundedPromptSet(
            prompt=found.prompt,
            attributes=[PhotoAttribute(key=a.key, name=a.name, score=a.score) for a in found.attributes],
        )
        for found in ground(scores[0], service.bundle.schema)
    ]
    return Explanation(
        image_id=image_id,
        grounding=grounding,
        class_=_explained(service, snapshot, image, row, asked.limit, gamma),
        contrast=against,
        edits=changed,
        model=model_of(service, gamma),
        revision=snapshot.revision,
    )


def _explained(
    service: Service, snapshot: Snapshot, image: ImageState, row: int, limit: int | None, gamma: float
) -> ExplainedClass:
    """The score of a class over all candidates (Eq. 22), attribute by attribute."""
    classes = snapshot.classes
    z = classes.vector(row)  # (A,)
    parts = contributions(image.v, z)  # (A,)
    order = np.argsort(-parts, kind="stable")
    kept, left = order[:limit], order[limit:] if limit is not None else order[:0]
    score, seen = float(parts.sum()), bool(classes.seen[row])
    keys = service.bundle.schema.keys
    return ExplainedClass(
        class_id=classes.class_id(row),
        label=classes.label(row),
        seen=seen,
        score=score,
        calibrated_score=score - gamma * seen,
        contributions=[
            Contribution(attribute=keys[i], v=float(image.v[i]), z=float(z[i]), contribution=float(parts[i]))
            for i in kept
        ],
        rest=float(parts[left].sum()),
    )
