"""One request of the API as data, made and read in the same way by the synchronous and the asynchronous client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from duet_client.answers import (
    Candidates,
    ClassDetail,
    Classification,
    ClassPage,
    DeletedClass,
    Explanation,
    Schema,
    StoredClass,
)
from duet_client.errors import UnexpectedAnswer
from duet_client.rows import NewClass

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
    photo: bytes | None = None
    repeatable: bool = True

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of httpx's `request`."""
        query = {name: value for name, value in self.query.items() if value is not None}
        chosen: dict[str, Any] = {"method": self.method, "url": self.path, "params": query}
        if self.body is not None:
            chosen["json"] = self.body
        if self.photo is not None:
            chosen |= {"content": self.photo, "headers": {"Content-Type": _kind(self.photo)}}
        return chosen

    def read(self, body: bytes) -> Reply:
        """The answer. Raises UnexpectedAnswer."""
        try:
            return self.answer.model_validate_json(body)
        except ValidationError as error:
            got = body[:120].decode("utf-8", "replace")
            first = error.errors(include_url=False)[0]
            raise UnexpectedAnswer(
                f"{self.method} {self.path} was not answered by a DUET service of this version: "
                f"{'.'.join(map(str, first['loc']))}: {first['msg']}; got {got!r}"
            ) from None


def classify(photo: Photo, top_k: int, candidates: Candidates, space: str) -> Call[Classification]:
    """POST /classify."""
    query = {"top_k": top_k, "candidates": candidates, "space": space}
    return Call(method="POST", path="/classify", answer=Classification, query=query, photo=_bytes(photo))


def explain(shown: Photo | str, class_id: str | None, limit: int | None, space: str) -> Call[Explanation]:
    """GET /explain for an image id, POST /explain for a photo."""
    query: dict[str, Any] = {"class_id": class_id, "limit": limit, "space": space}
    if isinstance(shown, str):
        return Call(method="GET", path="/explain", answer=Explanation, query=query | {"image_id": shown})
    return Call(method="POST", path="/explain", answer=Explanation, query=query, photo=_bytes(shown))


def attributes() -> Call[Schema]:
    """GET /attributes."""
    return Call(method="GET", path="/attributes", answer=Schema)


def list_classes(seen: bool | None, limit: int, offset: int, space: str) -> Call[ClassPage]:
    """GET /classes, one page."""
    chosen = None if seen is None else str(seen).lower()
    query = {"seen": chosen, "limit": limit, "offset": offset, "space": space}
    return Call(method="GET", path="/classes", answer=ClassPage, query=query)


def get_class(class_id: str, space: str) -> Call[ClassDetail]:
    """GET /classes/{class_id}."""
    return Call(method="GET", path=_class_path(class_id), answer=ClassDetail, query={"space": space})


def add_class(new: NewClass, space: str) -> Call[StoredClass]:
    """POST /classes."""
    body = new.model_dump(exclude_none=True)
    query = {"space": space}
    return Call(method="POST", path="/classes", answer=StoredClass, query=query, body=body, repeatable=False)


def delete_class(class_id: str, space: str) -> Call[DeletedClass]:
    """DELETE /classes/{class_id}."""
    path = _class_path(class_id)
    return Call(method="DELETE", path=path, answer=DeletedClass, query={"space": space}, repeatable=False)


def _class_path(class_id: str) -> str:
    if class_id in ("", ".", ".."):
        raise ValueError(f"got class id {class_id!r}; ids are such as 'painted-bunting'")
    return f"/classes/{quote(class_id, safe='')}"


def _bytes(photo: Photo) -> bytes:
    return photo.read_bytes() if isinstance(photo, Path) else photo


def _kind(photo: bytes) -> str:
    """The content type by the first bytes. What the service cannot read it refuses, with the reason."""
    return next((kind for start, kind in _SIGNATURES.items() if photo.startswith(start)), "image/jpeg")
