"""Reading request bodies: a photo (multipart or raw) or one JSON object, each under its own limit and time."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable
from typing import IO, Any, NoReturn, TypeVar

from pydantic import BaseModel, JsonValue
from starlette.requests import ClientDisconnect, Request

from app.api.form_photo import photo_in_form
from app.observability.spans import stage
from app.problems import Problem, example_of
from app.settings import Settings

Result = TypeVar("Result")

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")
ALSO_READ = ("image/jpg", "image/pjpeg", "image/x-png")
"""What some clients call them; the photo's own header decides in any case."""
MULTIPART_OVERHEAD = 65_536
"""Bytes of boundaries, headers and small fields that may come on top of the largest photo."""

PHOTO_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {
                        "image": {"type": "string", "format": "binary", "description": "A JPEG, PNG or WebP photo."}
                    },
                }
            },
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in IMAGE_TYPES},
        },
    }
}
"""How a photo body is shown in /docs."""


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """How a body of this model, which the route reads itself, is shown in /docs."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def whole(node: Any) -> Any:
        if isinstance(node, list):
            return [whole(part) for part in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return whole(parts[node["$ref"].rpartition("/")[2]])
        return {name: whole(part) for name, part in node.items()}

    return {"requestBody": {"required": True, "content": {"application/json": {"schema": whole(schema)}}}}


async def read_photo(request: Request, settings: Settings) -> bytes:
    """The bytes of the photo: multipart field ``image``, or the body itself with an image content type.

    Raises Problem: no-image, unsupported-media-type, body-too-large, body-timeout, incomplete-body, bad-request.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        with stage("body"):
            data = await _in_time(photo_in_form(request), settings)
    elif kind in (*IMAGE_TYPES, *ALSO_READ):
        with stage("body"):
            data = await _in_time(request.body(), settings)
    else:
        raise Problem(
            "unsupported-media-type",
            "The content type is neither multipart/form-data nor that of a photo.",
            {"got": kind or "no content type", "allowed": ["multipart/form-data", *IMAGE_TYPES]},
        )
    if not data:
        raise Problem("no-image", "The image is empty.", {"got": "0 bytes", "example": "curl -F image=@photo.jpg …"})
    if len(data) > settings.max_bytes:
        raise _too_large(len(data), settings.max_bytes)
    return data


async def read_json(
    request: Request, settings: Settings, of: type[BaseModel] | None = None, *, most: int | None = None
) -> dict[str, Any]:
    """The JSON object of the body, of at most `most` bytes (default: the setting `max_json_bytes`).

    What is no JSON is told with the example of `of`.

    Raises Problem: unsupported-media-type, invalid-json, body-too-large, body-timeout, incomplete-body.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        allowed = {"got": kind, "allowed": ["application/json"]}
        raise Problem("unsupported-media-type", "The body has to be JSON.", allowed)
    data = await read_body(request, settings, most=most or settings.max_json_bytes)
    return await asyncio.to_thread(json_object, data, example=example_of(of))  # a photo in base64 takes a while


async def read_body(request: Request, settings: Settings, *, most: int) -> bytes:
    """The bytes of the body.

    Raises Problem: unsupported-media-type (compressed), body-too-large, body-timeout, incomplete-body.
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        members = {"got": coding[:40], "allowed": ["identity"]}
        raise Problem(
            "unsupported-media-type", "Compressed bodies are not read; photos are compressed as it is.", members
        )
    with stage("body"):
        return await _in_time(_small_body(request, most), settings)


def json_object(data: bytes | str, what: str = "The body", example: JsonValue = None) -> dict[str, Any]:
    """The JSON object that a body, or a line of one, is; strict: no NaN, no infinity, no repeated names.

    Raises Problem invalid-json.
    """
    try:
        value = json.loads(data, parse_constant=_no_constant, parse_int=_integer, object_pairs_hook=_unique)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text, and no store could keep it
    except (ValueError, RecursionError) as error:
        raise Problem("invalid-json", f"{what} is not JSON: {error}", {"example": example} if example else {}) from None
    if not isinstance(value, dict):
        raise Problem("invalid-json", f"{what} is not a JSON object.", {"got": type(value).__name__})
    return value


async def read_file(request: Request, settings: Settings, file: IO[bytes]) -> None:
    """Write the body to a file as it arrives; every part of it has the time that another body has in all.

    Raises Problem: body-too-large, body-timeout, incomplete-body.
    """
    parts, arrived = request.stream().__aiter__(), 0
    while True:
        try:
            part = await _in_time(anext(parts), settings)
        except StopAsyncIteration:
            return
        arrived += len(part)
        if arrived > settings.max_import_bytes:
            raise _too_large(arrived, settings.max_import_bytes)
        await asyncio.to_thread(file.write, part)


async def _in_time(reading: Awaitable[Result], settings: Settings) -> Result:
    try:
        async with asyncio.timeout(settings.body_timeout_seconds):
            return await reading
    except TimeoutError:
        detail = f"The body did not arrive within {settings.body_timeout_seconds:g} s."
        raise Problem("body-timeout", detail, headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise Problem("incomplete-body", "The connection ended before the body did.") from None


async def _small_body(request: Request, most: int) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > most:
            raise _too_large(len(data), most)
    return bytes(data)


def photo_from_base64(text: str, settings: Settings) -> bytes:
    """The photo in a JSON text: base64, or a data URL with base64 in it; other URLs are nothing to read here.

    Raises Problem: no-image, body-too-large.
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    elif "://" in text[:16]:
        detail = "Photos are not fetched from elsewhere; send the photo itself."
        raise Problem("no-image", detail, {"got": text[:80], "allowed": "the file in base64"})
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        members = {"got": text[:40], "allowed": "the file in base64", "example": "base64 -w0 photo.jpg"}
        raise Problem("no-image", f"The photo is not base64: {error}.", members) from None
    if not data:
        raise Problem("no-image", "The image is empty.", {"got": "0 bytes"})
    if len(data) > settings.max_bytes:
        raise _too_large(len(data), settings.max_bytes)
    return data


def _too_large(got: int, most: int) -> Problem:
    members = {"got": f"{got} bytes or more", "allowed": f"{most} bytes"}
    return Problem("body-too-large", f"More than {most} bytes.", members, {"Connection": "close"})


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > 18:
        raise ValueError(f"the number {digits[:18]}… is too large")
    return int(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"the name {name!r} occurs more than once")
        result[name] = value
    return result
