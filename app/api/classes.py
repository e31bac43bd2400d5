"""/classes: what can be recognised, and how to add to it. Changing and deleting: class_changes.py."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.answers import ClassDetail, ClassList, ClassSummary, Degree, DryRun, NearDuplicate, NewClassAnswer
from app.api.bodies import json_body, read_json
from app.api.deps import NOW, Actor, AtMoment, ClassId, Space, TheService, class_row, snapshot_of
from app.api.descriptions import Described, NewClass, describe
from app.api.writing import etag, near_duplicates, shown_kind, write, write_headers
from app.problems import Problem
from app.registry.follower import DEFAULT_SPACE
from app.registry.snapshot import LeftOut, Snapshot
from app.registry.store import ABSENT, Act, Put, WriteConflict
from app.service import Service

router = APIRouter(tags=["Classes"])


@dataclass(frozen=True)
class Wanted:
    """Which classes a list is asked for; `text`, case folded, is looked for in their labels and ids."""

    seen: bool | None
    hidden: bool
    left_out: bool
    text: str

    def named(self, class_id: str, label: str) -> bool:
        """Whether a class has the text in its name."""
        return self.text in label.casefold() or self.text in class_id


@router.post(
    "/classes",
    summary="Register a class",
    status_code=201,
    openapi_extra=json_body(NewClass),
    response_model=NewClassAnswer,
    responses={200: {"description": "With `dry_run=true`: what would be stored.", "model": DryRun}},
)
async def register(
    request: Request,
    response: Response,
    service: TheService,
    actor: Actor,
    space: Space = DEFAULT_SPACE,
    dry_run: Annotated[
        bool, Query(description="Interpret and check only: nothing is stored, the answer is 200.")
    ] = False,
) -> NewClassAnswer | Response:
    """Register an unseen class by a vector, by named attributes or by a sentence. It can be recognised at once.

    The answer says how the description was understood: attributes with degrees, words not used, and prompt sets
    that were filled in. To correct it, PUT the class with the attributes as a mapping; or ask with
    `dry_run=true` first: the same answer with status 200, the revision as it is and all degrees; nothing is stored.
    """
    data = await read_json(request, service.settings, NewClass)
    described = await asyncio.to_thread(describe, data, service)
    record = described.record
    if service.bundle.classes.row(record.id) is not None:
        raise Problem("class-exists", f"{record.id!r} is a seen class of the bundle.", {"got": record.id})
    similar = await near_duplicates(service, space, record)
    if dry_run:
        return await _dry_run(described, similar, service, space, response)
    try:
        written = await write(service, space, [Put(record, ABSENT)], Act("register", actor))
    except WriteConflict:
        detail = f"Space {space!r} already has a class {record.id!r}; nothing was stored."
        raise Problem("class-exists", detail, {"got": record.id}) from None
    write_headers(response, written)
    query = "" if space == DEFAULT_SPACE else f"?space={space}"
    response.headers["Location"] = f"/classes/{record.id}{query}"
    return _answer(described, similar, version=written.version, revision=written.revision)


async def _dry_run(
    described: Described, similar: list[NearDuplicate], service: Service, space: str, response: Response
) -> Response:
    """What registering would answer, refusals included, from the snapshot; the store is not asked."""
    snapshot = await snapshot_of(service, space, response)
    if described.record.id in snapshot.records or described.record.id in snapshot.left_out:
        detail = f"Space {space!r} already has a class {described.record.id!r}; registering it would be refused."
        raise Problem("class-exists", detail, {"got": described.record.id})
    answer = _answer(described, similar, version=0, revision=snapshot.revision)
    degrees = zip(service.bundle.schema.keys, described.record.vector(), strict=True)
    all_of_them = [Degree(key=key, degree=float(degree)) for key, degree in degrees]
    dry = DryRun(**dict(answer), degrees=all_of_them)
    return Response(dry.model_dump_json(), media_type="application/json", headers=dict(response.headers))


def _answer(described: Described, similar: list[NearDuplicate], *, version: int, revision: int) -> NewClassAnswer:
    record = described.record
    return NewClassAnswer(
        id=record.id,
        label=record.label,
        seen=False,
        kind=shown_kind(record),
        version=version,
        revision=revision,
        interpretation=described.interpretation,
        near_duplicates=similar,
    )


@router.get("/classes", summary="List classes")
async def list_classes(
    response: Response,
    service: TheService,
    seen: Annotated[bool | None, Query(description="Only seen, or only unseen classes.")] = None,
    hidden: Annotated[bool, Query(description="Instead, the seen classes that this space hides.")] = False,
    left_out: Annotated[
        bool, Query(description="Instead, the registered classes that this model's attributes cannot express.")
    ] = False,
    q: Annotated[
        str, Query(max_length=120, description="Only classes with this in their label or id; upper case or not.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    space: Space = DEFAULT_SPACE,
    moment: AtMoment = NOW,
) -> ClassList:
    """The classes of a class space, the bundle's seen ones first, then the registered ones as they were last stored."""
    snapshot = await snapshot_of(service, space, response, moment)
    wanted = Wanted(seen, hidden, left_out, q.strip().casefold())
    page, total = await asyncio.to_thread(_page, snapshot, wanted, offset, limit)
    return ClassList(classes=page, total=total, revision=snapshot.revision)


@router.get(
    "/classes/{class_id}",
    summary="One class with its attributes",
    response_model=ClassDetail,
    responses={304: {"description": "If-None-Match names its ETag: it is as it was."}},
)
async def get_class(
    class_id: ClassId,
    request: Request,
    response: Response,
    service: TheService,
    space: Space = DEFAULT_SPACE,
    moment: AtMoment = NOW,
) -> ClassDetail | Response:
    """One class with the degrees of all its attributes; its ETag is for If-Match, and If-None-Match here."""
    snapshot = await snapshot_of(service, space, response, moment)
    row = class_row(service, snapshot, class_id)
    registered = snapshot.records.get(class_id)
    record = registered or snapshot.seen_changes.get(class_id)
    response.headers["ETag"] = etag(record)
    if etag(record) in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=dict(response.headers))
    degrees = snapshot.degrees(class_id)
    return ClassDetail(
        **_summary(snapshot, row).model_dump(),
        attributes=[
            Degree(key=key, degree=float(degree))
            for key, degree in zip(service.bundle.schema.keys, degrees, strict=True)
        ],
        prompt=registered.detail.get("prompt") if registered else None,
        created_at=registered.created_at if registered else None,
        updated_at=record.updated_at if record else None,
        expires_at=registered.expires_at if registered else None,
        version=record.version if record else 0,
        revision=snapshot.revision,
    )


def _page(snapshot: Snapshot, wanted: Wanted, offset: int, limit: int) -> tuple[list[ClassSummary], int]:
    """One page of the classes that match, and how many there are on all pages."""
    classes = snapshot.classes
    if wanted.hidden:
        of_bundle = snapshot.seen.classes
        left_out = [name for name in of_bundle.ids if classes.row(name) is None]
        found = [_hidden(snapshot, name) for name in left_out]
        found = [summary for summary in found if wanted.named(summary.id, summary.label)]
        return found[offset : offset + limit], len(found)
    if wanted.left_out:
        found = [_left(name, left) for name, left in snapshot.left_out.items()]
        found = [summary for summary in found if wanted.named(summary.id, summary.label)]
        return found[offset : offset + limit], len(found)
    count_seen = len(classes) - len(snapshot.records)
    rows: Sequence[int] = range(len(classes))
    if wanted.seen is not None:
        rows = rows[:count_seen] if wanted.seen else rows[count_seen:]
    if wanted.text:
        rows = [row for row in rows if wanted.named(classes.class_id(row), classes.label(row))]
    return [_summary(snapshot, row) for row in rows[offset : offset + limit]], len(rows)


def _summary(snapshot: Snapshot, row: int) -> ClassSummary:
    class_id = snapshot.classes.class_id(row)
    record = snapshot.records.get(class_id)
    return ClassSummary(id=class_id, label=snapshot.classes.label(row), seen=record is None, kind=shown_kind(record))


def _left(class_id: str, left: LeftOut) -> ClassSummary:
    kind = shown_kind(left.record)
    return ClassSummary(id=class_id, label=left.record.label, seen=False, kind=kind, left_out=left.reason)


def _hidden(snapshot: Snapshot, class_id: str) -> ClassSummary:
    row = snapshot.seen.classes.row(class_id)
    assert row is not None
    return ClassSummary(id=class_id, label=snapshot.seen.classes.label(row), seen=True, kind="bundle")
