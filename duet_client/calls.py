"""One request of the API as data, made and read in the same way by both clients.

Those of photos and the model are here, those of classes in class_calls.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from duet_client.answers import Classification, Explanation
from duet_client.class_answers import Tagged
from duet_client.errors import UnexpectedAnswer
from duet_client.model_answers import CalibrationState, ModelAnswer, Schema, SwappedModel

Reply = TypeVar("Reply", bound=BaseModel)
Photo = bytes | Path
"""The bytes of a JPEG, PNG or WebP file, or where it lies."""

_SIGNATURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"RIFF": "image/webp"}


@dataclass(frozen=True, kw_only=True)
class Call(Generic[Reply]):
    """What is sent, and what the answer is.

    Attributes:
        answer: the type of a good answer.
        repeatable: whether sending it twice does the same as once, so that a broken connection is tried again.
    """

    method: str
    path: str
    answer: type[Reply]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    content: bytes | None = None
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of httpx's `request`."""
        query = {name: value for name, value in self.query.items() if value is not None}
        chosen: dict[str, Any] = {"method": self.method, "url": self.path, "params": query}
        if self.body is not None:
            chosen["json"] = self.body
        if self.content is not None:
            chosen |= {"content": self.content, "headers": {"Content-Type": self.content_type}}
        if self.headers:
            chosen["headers"] = chosen.get("headers", {}) | dict(self.headers)
        return chosen

    def read(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """The answer. Raises UnexpectedAnswer."""
        try:
            answer = self.answer.model_validate_json(body)
        except ValidationError as error:
            got = body[:120].decode("utf-8", "replace")
            first = error.errors(include_url=False)[0]
            raise UnexpectedAnswer(
                f"{self.method} {self.path} was not answered by a DUET service of this version: "
                f"{'.'.join(map(str, first['loc']))}: {first['msg']}; got {got!r}"
            ) from None
        if isinstance(answer, Tagged):
            answer.tag(headers.get("etag", ""))
        return answer


class Download(BaseModel):
    """An answer that is a file."""

    data: bytes


@dataclass(frozen=True, kw_only=True)
class FileCall(Call[Download]):
    """A request that is answered with a file of this content type."""

    answer: type[Download] = Download
    kind: str

    def read(self, body: bytes, headers: Mapping[str, str]) -> Download:
        """The file. Raises UnexpectedAnswer."""
        got = headers.get("content-type", "").partition(";")[0]
        if got != self.kind:
            told = f"{self.method} {self.path} was answered with {got or 'no content type'}; {self.kind} was expected"
            raise UnexpectedAnswer(told)
        return Download(data=body)


def classify(photo: Photo, *, find: bool, **query: Any) -> Call[Classification]:
    """POST /classify."""
    query |= _finding(find)
    return Call(method="POST", path="/classify", answer=Classification, query=query, **_photo(photo))


def explain(shown: Photo | str, *, find: bool, **query: Any) -> Call[Explanation]:
    """GET /explain for an image id, POST /explain for a photo."""
    query |= _finding(find)
    if isinstance(shown, str):
        return Call(method="GET", path="/explain", answer=Explanation, query=query | {"image_id": shown})
    return Call(method="POST", path="/explain", answer=Explanation, query=query, **_photo(shown))


def heat_map(photo: Photo, *, find: bool, **query: Any) -> FileCall:
    """POST /explain/map."""
    query |= _finding(find)
    return FileCall(method="POST", path="/explain/map", kind="image/png", query=query, **_photo(photo))


def _finding(find: bool) -> dict[str, str]:
    """Services look for the object unless they are told not to; those of before there was a finder are told nothing."""
    return {} if find else {"find": "false"}


def attributes() -> Call[Schema]:
    """GET /attributes."""
    return Call(method="GET", path="/attributes", answer=Schema)


def model() -> Call[ModelAnswer]:
    """GET /model."""
    return Call(method="GET", path="/model", answer=ModelAnswer)


def swap_model(bundle: str) -> Call[SwappedModel]:
    """POST /admin/model."""
    return Call(method="POST", path="/admin/model", answer=SwappedModel, body={"bundle": bundle}, repeatable=False)


def calibration(method: str, space: str, gamma: float | None = None) -> Call[CalibrationState]:
    """GET or DELETE /calibration."""
    query = {"gamma": gamma, "space": space}
    return Call(method=method, path="/calibration", answer=CalibrationState, query=query)


def calibrate(labelled: Mapping[str, str], append: bool, space: str) -> Call[CalibrationState]:
    """POST /calibration with photos classified before."""
    photos = [{"image_id": image_id, "class_id": class_id} for image_id, class_id in labelled.items()]
    body = {"photos": photos, "append": append}
    return Call(
        method="POST",
        path="/calibration",
        answer=CalibrationState,
        query={"space": space},
        body=body,
        repeatable=not append,
    )


def _photo(photo: Photo) -> dict[str, Any]:
    data = photo.read_bytes() if isinstance(photo, Path) else photo
    return {"content": data, "content_type": _kind(data)}


def _kind(photo: bytes) -> str:
    """The content type by the first bytes. What the service cannot read it refuses, with the reason."""
    return next((kind for start, kind in _SIGNATURES.items() if photo.startswith(start)), "image/jpeg")
