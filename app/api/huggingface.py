"""Zero-shot image classification as Hugging Face's clients ask for it."""

from __future__ import annotations

import asyncio
import io
from base64 import b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from app.api.answers import Answer
from app.api.bodies import MULTIPART_OVERHEAD, json_body, read_json
from app.api.candidate_labels import competing
from app.api.deps import Space, TheService, snapshot_of
from app.api.photo_source import photo_from_text
from app.api.places import ThePlace
from app.problems import from_errors
from app.registry.follower import DEFAULT_SPACE

router = APIRouter(prefix="/hf", tags=["Other clients"])

Label = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


def example_photo() -> str:
    """A photo small enough to be shown: four pixels, as PNG in base64."""
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2), (200, 30, 40)).save(buffer, format="PNG")
    return b64encode(buffer.getvalue()).decode()


class ZeroShotParameters(BaseModel):
    """What the photo is compared with."""

    model_config = ConfigDict(extra="forbid", strict=True)

    candidate_labels: list[Label] = Field(
        min_length=2,
        max_length=256,
        description="Each a class of the class space, by id or label, or else a sentence that describes a class.",
    )
    hypothesis_template: str | None = Field(
        default=None,
        max_length=2000,
        description="Sentence with {} where a label goes that is no class; without it the label is the sentence.",
    )

    @field_validator("candidate_labels")
    @classmethod
    def _no_label_twice(cls, labels: list[str]) -> list[str]:
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is given more than once; give every label once")
        return labels

    @field_validator("hypothesis_template")
    @classmethod
    def _has_a_place(cls, template: str | None) -> str | None:
        if template is not None and "{}" not in template:
            raise ValueError("there is no {} for the label, as in 'a bird with {}'")
        return template


class ZeroShot(BaseModel):
    """The request of Hugging Face's zero-shot image classification."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "inputs": example_photo(),
                    "parameters": {"candidate_labels": ["Hooded Oriole", "a black bird with a yellow head"]},
                },
                {
                    "inputs": example_photo(),
                    "parameters": {
                        "candidate_labels": ["a red crown", "a blue crown"],
                        "hypothesis_template": "a small bird with {}",
                    },
                },
            ]
        },
    )

    inputs: str = Field(
        description="The file of a JPEG, PNG or WebP photo in base64, or its URL where the service fetches."
    )
    parameters: ZeroShotParameters


class LabelScore(Answer):
    """A label and its probability among the labels of the request."""

    label: str
    score: float = Field(description="0…1; the scores of all labels sum to 1.")


@router.post("/zero-shot-image-classification", summary="As Hugging Face does", openapi_extra=json_body(ZeroShot))
async def zero_shot(
    request: Request, response: Response, service: TheService, place: ThePlace, space: Space = DEFAULT_SPACE
) -> list[LabelScore]:
    """Compare a photo with labels, as `InferenceClient(model="…/hf/zero-shot-image-classification")` asks.

    A label that is the id or the label of a class of the class space is that class. Any other is read as a sentence,
    as POST /classes reads a prompt; nothing is stored. Best first. The scores cannot say "none of these": ask POST
    /classify for a decision. Base64 takes a third more room, so photos up to about 7.5 MiB fit.
    """
    async with place.hold():
        most = service.settings.max_bytes + MULTIPART_OVERHEAD
        asked = _checked(await read_json(request, service.settings, most=most))
        photo = await photo_from_text(asked.inputs, service)
        snapshot = await snapshot_of(service, space, response)
        labels, template = asked.parameters.candidate_labels, asked.parameters.hypothesis_template or "{}"
        candidates = await asyncio.to_thread(competing, labels, template, snapshot, service)
        image = await service.encode(photo)
    gamma = service.gamma(snapshot)
    ranking = await service.rank(image, candidates, top_k=len(labels), candidates="all", gamma=gamma)
    return [LabelScore(label=found.label, score=found.probability) for found in ranking.predictions]


def _checked(data: dict[str, Any]) -> ZeroShot:
    try:
        return ZeroShot.model_validate(data)
    except ValidationError as error:
        raise from_errors("invalid-request", error.errors(include_url=False)) from None
