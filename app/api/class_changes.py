"""PUT, PATCH and DELETE /classes/{class_id}; with If-Match only when the class is as the client knows it."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.api.answers import ChangedClass, DeletedClass, Interpretation, NearDuplicate
from app.api.bodies import json_body, read_json
from app.api.deps import Actor, ClassId, Space, TheService, missing, revision_header
from app.api.descriptions import NewClass, checked_label, describe, expiry
from app.api.writing import (
    check_is_class,
    expected,
    near_duplicates,
    precondition_failed,
    shown_kind,
    write,
    write_headers,
)
from app.problems import Problem, from_errors
from app.registry.follower import DEFAULT_SPACE
from app.registry.store import ABSENT, PRESENT, Act, ClassRecord, Drop, Put, WriteConflict, Written, as_json
from app.service import Service

router = APIRouter(tags=["Classes"])

TRIES = 3
"""How often a PATCH without If-Match begins anew when another client changes the class meanwhile."""


class ClassChange(BaseModel):
    """What to change of a class; what is not named stays. A seen class has only `label` and `hidden`."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"label": "Yellow-headed Blackbird"}, {"ttl_seconds": 3600}]},
    )

    label: str | None = Field(default=None, description="New name; of a seen class null gives the bundle's back.")
    attributes: list[Any] | dict[str, Any] | None = Field(default=None, description="New description, as in POST.")
    prompt: str | None = Field(default=None, max_length=2000, description="New description, as in POST.")
    ttl_seconds: int | None = Field(
        default=None, ge=1, le=10 * 366 * 86_400, description="Delete it after this time from now; null for never."
    )
    hidden: bool | None = Field(default=None, description="Of a seen class: whether the space leaves it out.")


@router.put(
    "/classes/{class_id}",
    summary="Create or replace a class",
    openapi_extra=json_body(NewClass),
    responses={201: {"description": "It was new.", "model": ChangedClass}},
)
async def replace_class(
    class_id: ClassId,
    request: Request,
    response: Response,
    service: TheService,
    actor: Actor,
    space: Space = DEFAULT_SPACE,
) -> ChangedClass:
    """Store a class, new or in place of the one with this id. The body is that of POST; `id` may be left out.

    `If-Match: "<ETag>"` replaces only that version, `If-None-Match: *` only creates.
    """
    data = await read_json(request, service.settings, NewClass)
    if data.setdefault("id", class_id) != class_id:
        members = {"got": str(data["id"])[:80], "allowed": class_id[:80]}
        raise Problem("invalid-class", "The id in the body is not the one in the path.", members)
    described = await asyncio.to_thread(describe, data, service)
    if service.bundle.classes.row(class_id) is not None:
        raise Problem("class-is-seen", f"{class_id!r} is a seen class of the bundle and stays.", {"got": class_id})
    current = await service.store.get(space, class_id)
    expect = expected(request, current)
    similar = await near_duplicates(service, space, described.record)
    try:
        written = await write(service, space, [Put(described.record, expect)], Act("replace", actor))
    except WriteConflict:
        raise precondition_failed("The condition", await service.store.get(space, class_id)) from None
    write_headers(response, written)
    response.status_code = 200 if current else 201
    return _changed(described.record, written, described.interpretation, similar)


@router.patch("/classes/{class_id}", summary="Change a class", openapi_extra=json_body(ClassChange))
async def change_class(
    class_id: ClassId,
    request: Request,
    response: Response,
    service: TheService,
    actor: Actor,
    space: Space = DEFAULT_SPACE,
) -> ChangedClass:
    """Change what the body names. A seen class can be relabelled or hidden, in this space only."""
    check_is_class(class_id, space)
    data = await read_json(request, service.settings, ClassChange)
    try:
        asked = ClassChange.model_validate(data)
    except ValidationError as error:
        raise from_errors("invalid-class", error.errors(include_url=False), ClassChange) from None
    if not asked.model_fields_set:
        raise Problem("invalid-class", "Nothing is named that could change.", {"example": {"label": "Warbler"}})
    seen = service.bundle.classes.row(class_id)
    for _ in range(TRIES):
        current = await service.store.get(space, class_id)
        expected(request, current)
        interpretation: Interpretation | None = None
        if seen is not None:
            if _registered(current):
                told = f"{class_id!r} is a seen class; a class registered before the bundle knew it lies under its id."
                raise Problem("class-is-seen", f"{told} DELETE that one first.", {"got": class_id})
            record = _seen_record(class_id, asked, current, service)
        elif current is None:
            raise missing(class_id, space)
        else:
            record, interpretation = await asyncio.to_thread(_patched, data, asked, current, service)
        similar = await near_duplicates(service, space, record) if interpretation else []
        try:
            change = Put(record, current.revision if current else ABSENT)
            written = await write(service, space, [change], Act("change", actor))
        except WriteConflict:
            continue
        write_headers(response, written)
        bundle_label = service.bundle.classes.label(seen) if seen is not None else ""
        return _changed(record, written, interpretation, similar, bundle_label)
    raise precondition_failed("The condition", await service.store.get(space, class_id))


@router.delete("/classes/{class_id}", summary="Delete a registered class")
async def delete_class(
    class_id: ClassId,
    request: Request,
    response: Response,
    service: TheService,
    actor: Actor,
    space: Space = DEFAULT_SPACE,
) -> DeletedClass:
    """Delete a registered class. Seen classes belong to the bundle and stay; PATCH hides them."""
    check_is_class(class_id, space)
    if service.bundle.classes.row(class_id) is not None and not _registered(await service.store.get(space, class_id)):
        raise Problem("class-is-seen", f"{class_id!r} is a seen class of the bundle and stays.", {"got": class_id})
    expect = PRESENT
    if "if-match" in request.headers:
        current = await service.store.get(space, class_id)
        if current is None:
            raise missing(class_id, space)
        expect = expected(request, current) or PRESENT
    try:
        written = await write(service, space, [Drop(class_id, expect)], Act("delete", actor))
    except WriteConflict:
        now = await service.store.get(space, class_id)
        raise (missing(class_id, space) if now is None else precondition_failed("The condition", now)) from None
    response.headers.update(revision_header(written.revision))
    return DeletedClass(id=class_id, revision=written.revision)


def _registered(record: ClassRecord | None) -> bool:
    """Whether it was described by a client; the bundle may have learned its class since."""
    return record is not None and record.kind != "seen"


def _patched(
    data: dict[str, Any], asked: ClassChange, current: ClassRecord, service: Service
) -> tuple[ClassRecord, Interpretation | None]:
    """The changed record of a registered class; an interpretation when it is described anew.

    Raises Problem: invalid-class, unknown-attribute, unclear-prompt.
    """
    named = asked.model_fields_set
    if "hidden" in named:
        raise Problem("invalid-class", "Only a seen class can be hidden; DELETE a registered one.", {"got": "hidden"})
    label = checked_label(asked.label) if "label" in named else current.label
    expires_at = expiry(asked.ttl_seconds) if "ttl_seconds" in named else current.expires_at
    if not named & {"attributes", "prompt"}:
        return dataclasses.replace(current, label=label, expires_at=expires_at), None
    given = {key: value for key, value in data.items() if key in ("attributes", "prompt")}
    described = describe({"id": current.id, "label": label} | given, service)
    return dataclasses.replace(described.record, expires_at=expires_at), described.interpretation


def _seen_record(class_id: str, asked: ClassChange, current: ClassRecord | None, service: Service) -> ClassRecord:
    """How the space shows a seen class from now on. Raises Problem class-is-seen for what cannot change."""
    named = asked.model_fields_set
    if fixed := sorted(named - {"label", "hidden"}):
        members = {"got": fixed, "allowed": ["label", "hidden"]}
        raise Problem("class-is-seen", f"{class_id!r} is a seen class: {', '.join(fixed)} cannot change.", members)
    label = current.label if current else ""
    if "label" in named:
        label = "" if asked.label is None else checked_label(asked.label)
    hidden = bool(asked.hidden) if "hidden" in named else bool(current and current.detail.get("hidden"))
    return ClassRecord(
        id=class_id,
        label=label,
        kind="seen",
        degrees=b"",
        schema=service.schema_id,
        detail_json=as_json({"hidden": hidden}),
    )


def _changed(
    record: ClassRecord,
    written: Written,
    interpretation: Interpretation | None,
    similar: list[NearDuplicate],
    bundle_label: str = "",
) -> ChangedClass:
    return ChangedClass(
        id=record.id,
        label=record.label or bundle_label,
        seen=record.kind == "seen",
        kind=shown_kind(record),
        version=written.version,
        revision=written.revision,
        hidden=record.kind == "seen" and bool(record.detail.get("hidden")),
        interpretation=interpretation,
        near_duplicates=similar,
    )
