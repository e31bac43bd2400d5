"""/classes: what can be recognised, and how to add and remove it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.api.answers import ClassDetail, ClassKind, ClassList, ClassSummary, Degree, DeletedClass, NewClassAnswer
from app.api.bodies import read_json
from app.api.deps import ClassId, Space, TheService, snapshot_of
from app.api.descriptions import Described, NewClass, describe
from app.problems import Problem
from app.registry.follower import DEFAULT_SPACE
from app.registry.snapshot import Snapshot
from app.registry.store import ClassExists, ClassMissing, StoreError
from app.service import Service

router = APIRouter(prefix="/classes", tags=["Classes"])

NEW_CLASS_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": NewClass.model_json_schema()}}}
}


@router.post(
    "",
    summary="Register a class",
    status_code=201,
    openapi_extra=NEW_CLASS_BODY,
    responses={200: {"description": "With `dry_run=true`: what would be stored.", "model": NewClassAnswer}},
)
async def register(
    request: Request,
    response: Response,
    service: TheService,
    space: Space = DEFAULT_SPACE,
    dry_run: Annotated[
        bool, Query(description="Interpret and check only: nothing is stored, the answer is 200.")
    ] = False,
) -> NewClassAnswer:
    """Register an unseen class by a vector, by named attributes or by a sentence. It can be recognised at once.

    The answer says how the description was understood: attributes with degrees, words not used, and prompt sets
    that were filled in. To correct it, DELETE the class and send the attributes as a mapping; or ask with
    `dry_run=true` first: the same answer with status 200 and the revision as it is, and nothing is stored.
    """
    data = await read_json(request, service.settings)
    described = await asyncio.to_thread(describe, data, service)
    record = described.record
    if service.bundle.classes.row(record.id) is not None:
        raise Problem("class-exists", f"{record.id!r} is a seen class of the bundle.", {"got": record.id})
    if dry_run:
        return await _dry_run(described, service, space, response)
    try:
        revision = await service.store.put(space, record)
    except ClassExists:
        detail = f"Space {space!r} already has a class {record.id!r}; nothing was stored."
        raise Problem("class-exists", detail, {"got": record.id}) from None
    service.metrics.writes.labels("put").inc()
    await _show(service, space)
    query = "" if space == DEFAULT_SPACE else f"?space={space}"
    response.headers["Location"] = f"/classes/{record.id}{query}"
    return _answer(described, revision)


async def _dry_run(described: Described, service: Service, space: str, response: Response) -> NewClassAnswer:
    """What registering would answer, refusals included, from the snapshot; the store is not asked."""
    snapshot = await snapshot_of(service, space, response)
    if described.record.id in snapshot.records:
        detail = f"Space {space!r} already has a class {described.record.id!r}; registering it would be refused."
        raise Problem("class-exists", detail, {"got": described.record.id})
    response.status_code = 200
    return _answer(described, snapshot.revision)


def _answer(described: Described, revision: int) -> NewClassAnswer:
    record = described.record
    return NewClassAnswer(
        id=record.id,
        label=record.label,
        seen=False,
        kind=record.kind,
        revision=revision,
        interpretation=described.interpretation,
    )


@router.get("", summary="List classes")
async def list_classes(
    response: Response,
    service: TheService,
    seen: Annotated[bool | None, Query(description="Only seen, or only unseen classes.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    space: Space = DEFAULT_SPACE,
) -> ClassList:
    """The classes of a class space, the bundle's seen ones first, then the registered ones as they came."""
    snapshot = await snapshot_of(service, space, response)
    classes = snapshot.classes
    count_seen = len(snapshot.seen.classes)
    rows = range(len(classes)) if seen is None else range(count_seen) if seen else range(count_seen, len(classes))
    page = [_summary(snapshot, row) for row in rows[offset : offset + limit]]
    return ClassList(classes=page, total=len(rows), revision=snapshot.revision)


@router.get("/{class_id}", summary="One class with its attributes")
async def get_class(
    class_id: ClassId, response: Response, service: TheService, space: Space = DEFAULT_SPACE
) -> ClassDetail:
    """One class with the degrees of all its attributes."""
    snapshot = await snapshot_of(service, space, response)
    row = snapshot.classes.row(class_id)
    if row is None:
        raise _missing(class_id, space)
    record = snapshot.records.get(class_id)
    degrees = snapshot.degrees(class_id)
    return ClassDetail(
        **_summary(snapshot, row).model_dump(),
        attributes=[
            Degree(key=key, degree=float(degree))
            for key, degree in zip(service.bundle.schema.keys, degrees, strict=True)
        ],
        prompt=record.detail.get("prompt") if record else None,
        created_at=record.created_at if record else None,
        revision=snapshot.revision,
    )


@router.delete("/{class_id}", summary="Delete a registered class")
async def delete_class(class_id: ClassId, service: TheService, space: Space = DEFAULT_SPACE) -> DeletedClass:
    """Delete a registered class. Seen classes belong to the bundle and stay."""
    if service.bundle.classes.row(class_id) is not None:
        raise Problem("class-is-seen", f"{class_id!r} is a seen class of the bundle and stays.", {"got": class_id})
    try:
        revision = await service.store.delete(space, class_id)
    except ClassMissing:
        raise _missing(class_id, space) from None
    service.metrics.writes.labels("delete").inc()
    await _show(service, space)
    return DeletedClass(id=class_id, revision=revision)


async def _show(service: Service, space: str) -> None:
    """Make a write of our own visible here at once. If the store has gone away since, the follower catches up."""
    with contextlib.suppress(StoreError):
        await service.follower.refresh(space)


def _missing(class_id: str, space: str) -> Problem:
    return Problem("class-not-found", f"Space {space!r} has no class {class_id[:80]!r}.", {"got": class_id[:80]})


def _summary(snapshot: Snapshot, row: int) -> ClassSummary:
    class_id = snapshot.classes.ids[row]
    record = snapshot.records.get(class_id)
    kind: ClassKind = record.kind if record else "bundle"
    return ClassSummary(id=class_id, label=snapshot.classes.labels[row], seen=record is None, kind=kind)
