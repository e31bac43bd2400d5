"""The requests that speak of classes and class spaces, as data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from duet_client.calls import Call, FileCall
from duet_client.class_answers import (
    ChangedClass,
    ChangedSpace,
    ClassDetail,
    ClassPage,
    DeletedClass,
    DryRun,
    Imported,
    Log,
    SpaceList,
    SpaceSettings,
    SpaceSummary,
    StoredClass,
)
from duet_client.descriptions import MEDIA, ClassChange, FileKind, NewClass, as_file


def list_classes(seen: bool | None, hidden: bool, **query: Any) -> Call[ClassPage]:
    """GET /classes, one page."""
    chosen = {"seen": None if seen is None else str(seen).lower(), "hidden": "true" if hidden else None}
    return Call(method="GET", path="/classes", answer=ClassPage, query=chosen | query)


def get_class(class_id: str, **query: Any) -> Call[ClassDetail]:
    """GET /classes/{class_id}."""
    return Call(method="GET", path=_path("classes", class_id), answer=ClassDetail, query=query)


def add_class(new: NewClass, dry_run: bool, space: str) -> Call[StoredClass]:
    """POST /classes."""
    body = new.model_dump(exclude_none=True)
    answer = DryRun if dry_run else StoredClass
    query = {"space": space, "dry_run": "true" if dry_run else None}
    return Call(method="POST", path="/classes", answer=answer, query=query, body=body, repeatable=dry_run)


def replace_class(new: NewClass, if_match: str | None, space: str) -> Call[ChangedClass]:
    """PUT /classes/{class_id}."""
    return Call(
        method="PUT",
        path=_path("classes", new.id),
        answer=ChangedClass,
        query={"space": space},
        body=new.model_dump(exclude_none=True),
        headers=_if_match(if_match),
        repeatable=False,
    )


def update_class(class_id: str, change: ClassChange, if_match: str | None, space: str) -> Call[ChangedClass]:
    """PATCH /classes/{class_id}."""
    return Call(
        method="PATCH",
        path=_path("classes", class_id),
        answer=ChangedClass,
        query={"space": space},
        body=change.model_dump(exclude_unset=True),
        headers=_if_match(if_match),
        repeatable=False,
    )


def delete_class(class_id: str, if_match: str | None, space: str) -> Call[DeletedClass]:
    """DELETE /classes/{class_id}."""
    return Call(
        method="DELETE",
        path=_path("classes", class_id),
        answer=DeletedClass,
        query={"space": space},
        headers=_if_match(if_match),
        repeatable=False,
    )


def import_classes(classes: Path | Iterable[NewClass], replace: bool, space: str) -> Call[Imported]:
    """POST /import."""
    content, kind = as_file(classes)
    return Call(
        method="POST",
        path="/import",
        answer=Imported,
        query={"space": space, "mode": "replace" if replace else "create"},
        content=content,
        content_type=MEDIA[kind],
        repeatable=False,
    )


def export_classes(kind: FileKind, space: str) -> FileCall:
    """GET /export."""
    return FileCall(method="GET", path="/export", kind=MEDIA[kind], query={"format": kind, "space": space})


def spaces() -> Call[SpaceList]:
    """GET /spaces."""
    return Call(method="GET", path="/spaces", answer=SpaceList)


def get_space(name: str) -> Call[SpaceSummary]:
    """GET /spaces/{name}."""
    return Call(method="GET", path=_path("spaces", name), answer=SpaceSummary)


def add_space(name: str, label: str, copy_of: str | None) -> Call[ChangedSpace]:
    """POST /spaces."""
    body = {"name": name, "label": label} | ({} if copy_of is None else {"copy_of": copy_of})
    return Call(method="POST", path="/spaces", answer=ChangedSpace, body=body, repeatable=False)


def change_space(name: str, gamma: float | None) -> Call[SpaceSettings]:
    """PATCH /spaces/{name}."""
    return Call(
        method="PATCH", path=_path("spaces", name), answer=SpaceSettings, body={"gamma": gamma}, repeatable=False
    )


def delete_space(name: str) -> Call[ChangedSpace]:
    """DELETE /spaces/{name}."""
    return Call(method="DELETE", path=_path("spaces", name), answer=ChangedSpace, repeatable=False)


def log(before: int | None, limit: int, space: str) -> Call[Log]:
    """GET /log."""
    return Call(method="GET", path="/log", answer=Log, query={"before": before, "limit": limit, "space": space})


def _path(kind: str, name: str) -> str:
    if name in ("", ".", ".."):
        raise ValueError(f"got the id {name!r}; ids are such as 'painted-bunting'")
    return f"/{kind}/{quote(name, safe='')}"


def _if_match(etag: str | None) -> dict[str, str]:
    return {} if etag is None else {"If-Match": etag}
