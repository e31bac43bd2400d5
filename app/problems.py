"""Every error the service answers with, as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, JsonValue
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from app.observability.request_record import current
from app.observability.requests import HEADER
from app.patterns import IN_WORDS
from app.response_headers import DEFAULTS

MEDIA_TYPE = "application/problem+json"


FOREIGN = ("/hf/", "/v2")
"""Paths whose clients look for the reason under `error`; RFC 9457 allows the member."""


@dataclass(frozen=True)
class Kind:
    """One sort of problem: its HTTP status, its title and what a client does about it."""

    status: int
    title: str
    advice: str


KINDS: dict[str, Kind] = {
    "not-found": Kind(404, "Not found", "Look at /docs for the paths there are."),
    "method-not-allowed": Kind(405, "Method not allowed", "Use one of the methods named in the Allow header."),
    "invalid-parameter": Kind(422, "Invalid parameter", "Change the parameters named under errors."),
    "invalid-json": Kind(422, "Invalid JSON", "Send one JSON object; NaN, Infinity and repeated names are not JSON."),
    "invalid-class": Kind(422, "Invalid class description", "Change what is named in the detail; nothing was stored."),
    "unknown-attribute": Kind(422, "Unknown attribute", "Use the nearest valid names given, or see GET /attributes."),
    "invalid-request": Kind(422, "Invalid request", "Change what is named in the detail, or as an example shows."),
    "unclear-prompt": Kind(422, "Prompt not understood", "Name parts and colours or shapes, or send attributes."),
    "class-exists": Kind(409, "Class exists", "Choose another id, or replace the class (PUT, import mode=replace)."),
    "class-is-seen": Kind(409, "Seen class", "Classes of the bundle stay; PATCH can hide or relabel them in a space."),
    "precondition-failed": Kind(412, "Class has changed", "GET the class, look at it, and send its ETag as If-Match."),
    "invalid-import": Kind(422, "Invalid file of classes", "Change the rows named under errors; nothing was stored."),
    "space-exists": Kind(409, "Class space exists", "Choose another name, or DELETE the space first."),
    "space-not-found": Kind(404, "No such class space", "GET /spaces lists them; the first write to a space makes it."),
    "space-is-default": Kind(409, "Default class space", "It stays; DELETE its classes one by one."),
    "no-candidates": Kind(409, "No candidates", "Register a class, show a hidden one, or ask for other candidates."),
    "revision-not-reached": Kind(503, "Revision not here yet", "Try again after Retry-After seconds."),
    "revision-forgotten": Kind(410, "Revision forgotten", "Ask for a later one; GET /log shows what is remembered."),
    "no-unseen-classes": Kind(409, "No unseen classes", "Register one with POST /classes, or use candidates=all."),
    "class-not-found": Kind(404, "No such class", "GET /classes lists the ids of the class space."),
    "model-not-found": Kind(404, "No such model", "GET /readyz names the model that is served."),
    "bundle-not-found": Kind(404, "No such bundle", "Name a folder that lies in DUET_BUNDLES, as allowed shows."),
    "bundle-refused": Kind(422, "Bundle refused", "Mend what is named, or export the bundle again; nothing changed."),
    "swap-under-way": Kind(409, "Another swap is under way", "Try again after Retry-After seconds."),
    "image-not-found": Kind(404, "No such image", "States are kept for a while only: send the photo to POST /explain."),
    "image-of-other-model": Kind(
        409, "Photo of another model", "The model has changed since it was classified: send the photo again."
    ),
    "no-calibration-photos": Kind(409, "Too few labelled photos", "Send labelled photos to POST /calibration."),
    "invalid-calibration": Kind(422, "Invalid labelled photos", "Change what is named; nothing was stored."),
    "no-image": Kind(422, "No image", "Send the multipart field 'image', or the raw bytes with an image content type."),
    "url-refused": Kind(422, "URL refused", "Send a URL that is allowed, or the photo itself."),
    "photo-not-fetched": Kind(422, "Photo not fetched", "Look whether the URL is public, or send the photo itself."),
    "unsupported-media-type": Kind(
        415, "Unsupported media type", "Send what is allowed: photos are JPEG, PNG or WebP."
    ),
    "body-too-large": Kind(413, "Body too large", "Send a smaller file."),
    "image-too-large": Kind(413, "Image too large", "Scale the photo down; 500 pixels on the short side are plenty."),
    "broken-image": Kind(422, "Broken image", "Send the whole file of a JPEG, PNG or WebP photo."),
    "body-timeout": Kind(408, "Body too slow", "Send the body without pauses, or send a smaller photo."),
    "incomplete-body": Kind(400, "Body cut short", "Send the whole body."),
    "key-missing": Kind(401, "API key needed", "Send `Authorization: Bearer KEY`, or `X-API-Key: KEY`."),
    "key-unknown": Kind(401, "Unknown API key", "Ask the operator for a new key; `duet keys make` makes one."),
    "scope-missing": Kind(403, "Not allowed with this key", "Use a key with one of the scopes named under allowed."),
    "overloaded": Kind(503, "Overloaded", "Try again after Retry-After seconds."),
    "quota-exceeded": Kind(429, "Too many photos of one key", "Wait for answers first, or for Retry-After seconds."),
    "deadline-exceeded": Kind(503, "Out of time", "Allow more time (X-Request-Timeout-Ms), or try again later."),
    "client-closed-request": Kind(499, "Client closed the request", "Stay connected until the answer has come."),
    "shutting-down": Kind(503, "Shutting down", "Send it again: another process answers."),
    "store-unavailable": Kind(503, "Class store unavailable", "Try again after Retry-After seconds; nothing is lost."),
    "not-ready": Kind(503, "Not ready", "Wait for GET /readyz to answer 200."),
    "bad-request": Kind(400, "Bad request", "Send a well-formed HTTP request."),
    "internal-error": Kind(500, "Internal error", "The service's log has the reason. Please report it."),
}


RESPONSE: dict[str, Any] = {
    "description": "A problem (RFC 9457). `type` is stable: look it up at that path.",
    "headers": {HEADER: {"description": "Id of the request.", "schema": {"type": "string"}}},
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "instance", "advice"],
                "properties": {name: {"type": "string"} for name in ("type", "title", "detail", "instance", "advice")}
                | {"status": {"type": "integer"}}
                | {"request_id": {"type": "string", "description": "As the header X-Request-ID; the log has it too."}}
                | {"error": {"type": "string", "description": "As detail; below /hf and /v2, whose clients read it."}}
                | {name: {} for name in ("got", "allowed", "example", "errors")},
            },
            "example": {
                "type": "/problems/unknown-attribute",
                "title": "Unknown attribute",
                "status": 422,
                "detail": "Unknown attributes: 'wing colour: blue' (did you mean 'wing color: blue'?).",
                "instance": "/classes",
                "advice": "Use the nearest valid names given, or see GET /attributes.",
                "request_id": "3f0c8a7d5e4b4c0f9a51c2f0a7d8e6b1",
                "errors": [{"where": "wing colour: blue", "nearest": ["wing color: blue", "wing color: black"]}],
            },
        }
    },
}
"""How errors are shown in /docs."""


@dataclass(eq=False)
class Problem(Exception):
    """Raise it anywhere below a route; the client gets it as problem+json.

    Attributes:
        slug: key of `KINDS`, the last part of the problem's ``type``.
        detail: what was wrong this time, for people.
        members: further members of the body: ``got``, ``allowed``, ``example``, ``errors``.
        headers: response headers, for example ``Retry-After``.
    """

    slug: str
    detail: str
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.slug].status

    def body(self, instance: str) -> bytes:
        """The problem as JSON; `instance` is the path of the request."""
        kind = KINDS[self.slug]
        foreign = {"error": self.detail} if instance.startswith(FOREIGN) else {}
        standard = {
            "type": f"/problems/{self.slug}",
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            "instance": instance,
        }
        request = current()
        known = {"advice": kind.advice} | ({"request_id": request.id} if request is not None else {})
        return json.dumps(standard | known | foreign | _plain(dict(self.members)), ensure_ascii=False).encode()

    def response(self, instance: str) -> Response:
        """The answer to the request with this path."""
        return Response(self.body(instance), self.status, dict(self.headers), media_type=MEDIA_TYPE)


def retry_after(seconds: float) -> dict[str, str]:
    """A ``Retry-After`` header: whole seconds, at least 1."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem: raised ones, the framework's own, and the unexpected."""

    async def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response(request.url.path)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _from_http(error, request).response(request.url.path)

    async def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return from_errors("invalid-parameter", error.errors()).response(request.url.path)

    async def on_other(request: Request, error: Exception) -> Response:  # noqa: ARG001  # the log has it, not the client
        known = current()  # this answer does not pass through the middleware of the others
        headers = DEFAULTS | ({HEADER: known.id} if known is not None else {})
        return Problem("internal-error", "Something went wrong on our side.", headers=headers).response(
            request.url.path
        )

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(Exception, on_other)


def example_of(model: type[BaseModel] | None) -> JsonValue:
    """The first example in a model's schema; None where there is none."""
    extra = model.model_config.get("json_schema_extra") if model is not None else None
    examples = extra.get("examples") if isinstance(extra, dict) else None
    return examples[0] if isinstance(examples, list) else None


def from_errors(slug: str, errors: Sequence[Any], of: type[BaseModel] | None = None) -> Problem:
    """A problem from pydantic's list of errors: where, what, what was got, and the example of the model `of`."""
    rows = []
    for error in errors:
        where = ".".join(str(part) for part in error["loc"])
        pattern = error.get("ctx", {}).get("pattern")
        row = {"where": where, "message": IN_WORDS.get(pattern, str(error["msg"]))}
        if error["type"] != "missing":
            row["got"] = _short(error.get("input"))
        rows.append(row)
    example = example_of(of)
    told = "; ".join(f"{row['where']}: {row['message']}" if row["where"] else row["message"] for row in rows[:3])
    members = {"errors": rows[:20]} | ({"example": example} if example else {})
    return Problem(slug, told + ("; …" if len(rows) > 3 else ""), members)


def _from_http(error: HTTPException, request: Request) -> Problem:
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return Problem("not-found", f"There is nothing at {request.url.path}.", headers=headers)
    if error.status_code == 405:
        allowed = _methods(request)
        return Problem(
            "method-not-allowed",
            f"{request.method} is not possible here.",
            {"allowed": allowed},
            headers | {"Allow": ", ".join(allowed)},
        )
    by_status = {413: "body-too-large", 415: "unsupported-media-type", 422: "invalid-parameter"}
    slug = by_status.get(error.status_code, "bad-request" if error.status_code < 500 else "internal-error")
    return Problem(slug, str(error.detail), headers=headers)


def _methods(request: Request) -> list[str]:
    """All methods of the path asked for; the framework names those of the first matching route only."""
    found: set[str] = set()
    for path, routes in request.app.openapi()["paths"].items():
        if compile_path(path)[0].match(request.url.path):
            found.update(method.upper() for method in routes)
    return sorted(found) or ["GET"]  # pages outside the schema are all for reading


def _short(value: Any, limit: int = 120) -> str:
    """What a client sent, cut to a length fit for a message."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[:limit] + "…"


def _plain(value: Any) -> Any:
    """The value with NaN and infinities as words: JSON has no numbers for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
