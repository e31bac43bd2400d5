"""The Open Inference Protocol v2 (KServe, Triton): the model as its clients see it, with the binary extension."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from app import __version__
from app.api.answers import Answer
from app.api.bodies import MULTIPART_OVERHEAD, json_body, read_body
from app.api.deps import TheService, snapshot_of
from app.api.huggingface import example_photo
from app.api.inference_outputs import OUTPUTS, InferParameters, classified, outputs_of, parameters_of
from app.api.photo_source import photo_from_text
from app.api.places import ThePlace
from app.api.tensors import (
    JSON_LENGTH,
    Datatype,
    InferRequest,
    InputTensor,
    answer_body,
    bytes_elements,
    read_request,
)
from app.engine.image_states import ImageState
from app.problems import Problem
from app.service import Service

Result = TypeVar("Result")
router = APIRouter(prefix="/v2", tags=["Other clients"])

ModelName = Annotated[
    str, Path(description="The model's id, as GET /readyz names it.", examples=["birds-duet-plus-seed0"])
]


class ServerMetadata(Answer):
    """Who answers."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(Answer):
    """An input or output; -1 stands for any length."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(Answer):
    """The model's inputs and outputs."""

    name: str
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerLive(Answer):
    """The process answers."""

    live: bool


class ServerReady(Answer):
    """Photos can be classified."""

    ready: bool


class ModelReady(Answer):
    """Whether the model can be asked."""

    name: str
    ready: bool


class OutputTensor(TensorMetadata):
    """An output, with its elements in row-major order."""

    data: list[Any]


class InferAnswer(Answer):
    """What the model says."""

    model_name: str
    id: str | None = None
    parameters: dict[str, int] = Field(description="`revision` of the class space this answer was made from.")
    outputs: list[OutputTensor]


def _infer_body() -> dict[str, Any]:
    body = json_body(InferRequest)
    image = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [example_photo()]}
    body["requestBody"]["content"]["application/json"]["schema"]["examples"] = [
        {"inputs": [image], "parameters": {"top_k": 3}},
        {"id": "42", "inputs": [image], "outputs": [{"name": "class_id"}, {"name": "probability"}]},
    ]
    return body


@router.get("", summary="The server")
async def server() -> ServerMetadata:
    """Name, version and extensions of the server."""
    return ServerMetadata(name="duet-serving", version=__version__, extensions=["binary_tensor_data"])


@router.get("/health/live", summary="Is the process alive?")
async def live() -> ServerLive:
    """As /livez."""
    return ServerLive(live=True)


@router.get("/health/ready", summary="Can photos be classified?")
async def ready(service: TheService) -> ServerReady:
    """As /readyz."""
    _check_ready(service)
    return ServerReady(ready=True)


@router.get("/models/{model}", summary="The model's inputs and outputs")
async def model_metadata(model: ModelName, service: TheService) -> ModelMetadata:
    """One input `image`: photos. Outputs: K classes for each photo, best first, and what belongs to them."""
    _check_model(model, service)
    width = len(service.bundle.schema)
    return ModelMetadata(
        name=model,
        platform="duet",
        inputs=[TensorMetadata(name="image", datatype="BYTES", shape=[-1])],
        outputs=[
            TensorMetadata(name=name, datatype=kind, shape=[width if side == "A" else -1 for side in sides])
            for name, (kind, sides) in OUTPUTS.items()
        ],
    )


@router.get("/models/{model}/ready", summary="Can the model be asked?")
async def model_ready(model: ModelName, service: TheService) -> ModelReady:
    """200 when the model can be asked, else 503."""
    _check_model(model, service)
    _check_ready(service)
    return ModelReady(name=model, ready=True)


@router.post(
    "/models/{model}/infer", summary="Classify photos", openapi_extra=_infer_body(), response_model=InferAnswer
)
async def infer(
    model: ModelName, request: Request, response: Response, service: TheService, place: ThePlace
) -> Response:
    """Classify photos: as base64 in JSON, or raw with the binary extension.

    `parameters`: `top_k` (5), `candidates` (all, seen, unseen) and `space` (default), as for POST /classify. The
    answer's `parameters` hold the revision of the class space. One request has at most as many photos as fit a batch,
    and 10 MiB in all.
    """
    _check_model(model, service)
    async with place.hold():
        body = await read_body(request, service.settings, most=service.settings.max_bytes + MULTIPART_OVERHEAD)
        asked, raw = await asyncio.to_thread(read_request, body, request.headers.get(JSON_LENGTH))
        parameters, wanted = parameters_of(asked), outputs_of(asked)
        elements = await asyncio.to_thread(_elements, asked, raw, service)
        place.more(len(elements) - 1)
        photos = await _all([_photo(element, service) for element in elements])
        await snapshot_of(service, parameters.space, response)  # no class space, no need to encode
        images = await _all(map(service.encode, photos))  # all in the queue together
    return await _answer(asked, parameters, wanted, images, response, service)


async def _answer(
    asked: InferRequest,
    parameters: InferParameters,
    wanted: dict[str, bool],
    images: list[ImageState],
    response: Response,
    service: Service,
) -> Response:
    outputs, revision = await classified(images, tuple(wanted), parameters, response, service)
    head: dict[str, Any] = {"model_name": service.bundle.model_id, "parameters": {"revision": revision}}
    if asked.id is not None:
        head["id"] = asked.id
    body, json_length = answer_body(head, outputs, wanted)
    answer = Response(body, media_type="application/json" if json_length is None else "application/octet-stream")
    if json_length is not None:
        answer.headers[JSON_LENGTH] = str(json_length)
    if stale := response.headers.get("X-Registry-Stale"):
        answer.headers["X-Registry-Stale"] = stale
    return answer


def _elements(asked: InferRequest, raw: bytes, service: Service) -> list[bytes | str]:
    """The photos of a request, as they came. Raises Problem."""
    most = min(service.settings.max_batch, service.settings.key_queue_images or service.settings.max_batch)
    if [tensor.name for tensor in asked.inputs] != ["image"]:
        names = [tensor.name[:40] for tensor in asked.inputs[:10]]
        raise Problem("invalid-request", f"The inputs are {names}; the model has one.", {"allowed": ["image"]})
    image: InputTensor = asked.inputs[0]
    elements = bytes_elements(image, raw)
    if not 1 <= len(elements) <= most:
        members = {"got": len(elements), "allowed": f"1…{most}"}
        raise Problem("invalid-request", f"The request has {len(elements)} photos; 1 to {most} are taken.", members)
    return elements


async def _photo(element: bytes | str, service: Service) -> bytes:
    return element if isinstance(element, bytes) else await photo_from_text(element, service)


async def _all(work: Iterable[Awaitable[Result]]) -> list[Result]:
    """What all of it gives, done side by side and to the end. Raises what the first in order that failed raised."""
    done = await asyncio.gather(*work, return_exceptions=True)
    for result in done:
        if isinstance(result, BaseException):
            raise result
    return [result for result in done if not isinstance(result, BaseException)]


def _check_model(model: str, service: Service) -> None:
    served = service.bundle.model_id
    if model != served:
        members = {"got": model[:80], "allowed": [served]}
        raise Problem("model-not-found", f"There is no model {model[:80]!r}; {served!r} is served.", members)


def _check_ready(service: Service) -> None:
    if reasons := service.not_ready():
        raise Problem("not-ready", "; ".join(reasons) + ".", {"errors": reasons}, {"Retry-After": "1"})
