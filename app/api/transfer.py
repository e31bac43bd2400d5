"""POST /import and GET /export: many classes at once, all or nothing."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import io
import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.api.answers import Imported, ImportedPair
from app.api.bodies import read_file
from app.api.deps import Actor, Space, TheService, revision_header
from app.api.import_rows import FIELDS, FileKind, Rows, read_rows
from app.api.writing import near, write
from app.problems import Problem
from app.registry.follower import DEFAULT_SPACE
from app.registry.reading import read_all
from app.registry.snapshot import Snapshot, empty_snapshot
from app.registry.store import ABSENT, ANY, Act, ClassRecord, Head, Put, StoreError, WriteConflict
from app.service import Service
from duet_core.runtime.carrying import CannotCarry

router = APIRouter(tags=["Classes"])

KINDS: dict[str, FileKind] = {"application/x-ndjson": "jsonl", "application/jsonl": "jsonl", "text/csv": "csv"}
MEDIA: dict[FileKind, str] = {"jsonl": "application/x-ndjson", "csv": "text/csv"}
SPOOL_BYTES = 8 * 2**20
MOST_COMPARED = 2_000
"""Largest import that is looked through for near duplicates."""
PAIRS_SHOWN = 20
EXPORT_ROWS = 500
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {
                "schema": {
                    "type": "string",
                    "examples": ['{"id": "night-bird", "label": "Night Bird", "prompt": "a black bird, black bill"}\n'],
                }
            },
            "text/csv": {
                "schema": {
                    "type": "string",
                    "examples": ["id,label,wing color: blue,crown color: red\nflag-bird,Flag Bird,0.9,0.8\n"],
                }
            },
        },
    }
}


@router.post("/import", summary="Import many classes", openapi_extra=BODY)
async def import_classes(
    request: Request,
    response: Response,
    service: TheService,
    actor: Actor,
    mode: Annotated[
        Literal["create", "replace"], Query(description="`create` refuses ids that exist, `replace` replaces them.")
    ] = "create",
    space: Space = DEFAULT_SPACE,
) -> Imported:
    """Store all classes of a file under one revision, or none: every bad row is named.

    JSON lines (`application/x-ndjson`): a line is what POST /classes takes, or a line of GET /export. CSV
    (`text/csv`): a header with `id`, `label`, and `prompt` or keys of attributes.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in KINDS:
        members = {"got": media or "no content type", "allowed": sorted(KINDS)}
        raise Problem("unsupported-media-type", "A file of classes is JSON lines or CSV.", members)
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as file:
        await read_file(request, service.settings, file)
        await asyncio.to_thread(file.seek, 0)
        rows = await asyncio.to_thread(read_rows, file, KINDS[media], service)
    rows.check()
    compared = len(rows.records) <= MOST_COMPARED
    pairs = await _near_pairs(service, space, rows.records) if compared else []
    expect = ABSENT if mode == "create" else ANY
    try:
        written = await write(service, space, [Put(record, expect) for record in rows.records], Act("import", actor))
    except WriteConflict as conflict:
        raise _existing(rows, conflict) from None
    response.headers.update(revision_header(written.revision))
    return Imported(
        imported=len(rows.records),
        revision=written.revision,
        near_duplicates=pairs,
        near_duplicates_checked=compared,
    )


@router.get(
    "/export",
    summary="Export all classes",
    response_class=StreamingResponse,
    responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind in MEDIA.values()}}},
)
async def export_classes(
    service: TheService,
    format: Annotated[FileKind, Query(description="`jsonl` (JSON lines) or `csv`.")] = "jsonl",
    space: Space = DEFAULT_SPACE,
) -> StreamingResponse:
    """Every registered class of a space at one revision, and what it changes of seen ones; POST /import takes it back.

    It is read from the store, so that degrees are exact: 503 while the store is away.
    """
    head, records = await read_all(service.store, space)
    name = f"{space}-{head.revision}.{format}"
    headers = revision_header(head.revision) | {"Content-Disposition": f'attachment; filename="{name}"'}
    records = [record for record in records if record.kind != "settings"]  # of the space, not of a class
    await service.follower.schemas.learn(records)
    rows = _csv_rows(records, service) if format == "csv" else _json_rows(records, service)
    return StreamingResponse(_in_threads(rows), media_type=MEDIA[format], headers=headers)


def _existing(rows: Rows, conflict: WriteConflict) -> Problem:
    """The rows whose ids exist already, as bad rows."""
    for found in conflict.conflicts:
        rows.refuse(rows.numbers[found.position], found.id, "class-exists", f"{found.id!r} exists already.")
    told = f"{len(conflict.conflicts)} rows or more name classes that exist; nothing was stored. mode=replace replaces."
    return Problem("class-exists", told, {"errors": rows.bad})


async def _near_pairs(service: Service, space: str, records: Sequence[ClassRecord]) -> list[ImportedPair]:
    """Imported classes that are nearly the same as others, imported or there before."""
    try:
        snapshot = await service.follower.snapshot(space)
    except StoreError:
        return []
    return await asyncio.to_thread(_pairs, snapshot, records)


def _pairs(snapshot: Snapshot, records: Sequence[ClassRecord]) -> list[ImportedPair]:
    new = [record for record in records if record.kind != "seen"]
    together = empty_snapshot(snapshot.space, snapshot.seen).changed(new, Head())
    found: dict[frozenset[str], ImportedPair] = {}
    for record in new:
        degrees = record.vector()
        for other in (*near(together.classes, record.id, degrees), *near(snapshot.classes, record.id, degrees)):
            pair = frozenset((record.id, other.class_id))
            found.setdefault(pair, ImportedPair(imported_id=record.id, **other.model_dump()))
        if len(found) >= PAIRS_SHOWN:
            break
    return list(found.values())[:PAIRS_SHOWN]


async def _in_threads(rows: Iterator[str]) -> AsyncIterator[str]:
    """A few hundred rows at a time, made off the event loop."""

    def some() -> str:
        return "".join(row for row, _ in zip(rows, range(EXPORT_ROWS), strict=False))

    while part := await asyncio.to_thread(some):
        yield part


def _expressed(record: ClassRecord, service: Service) -> ClassRecord | None:
    """The record with degrees for the attributes of the model; None where they cannot express it."""
    if record.kind == "seen" or record.schema == service.schema_id:
        return record
    try:
        degrees = service.model.carrier.degrees(record).astype("<f4").tobytes()
    except CannotCarry:
        return None
    return dataclasses.replace(record, degrees=degrees)


def _json_rows(records: Sequence[ClassRecord], service: Service) -> Iterator[str]:
    for stored in records:
        record = _expressed(stored, service)
        if record is None:  # in words: an import names what it does not know of them
            words = service.model.carrier.described(stored)
            yield json.dumps({"id": stored.id, "label": stored.label} | words, ensure_ascii=False) + "\n"
            continue
        row: dict[str, Any] = {"id": record.id, "label": record.label, "kind": record.kind}
        if record.kind == "seen":
            yield json.dumps(row | {"hidden": record.detail.get("hidden", False)}, ensure_ascii=False) + "\n"
            continue
        row["detail"] = record.detail
        if record.expires_at is not None:
            row["expires_at"] = record.expires_at
        start = json.dumps(row, ensure_ascii=False).removesuffix("}")
        yield f'{start}, "degrees": [{", ".join(_numbers(record))}]}}\n'


def _csv_rows(records: Sequence[ClassRecord], service: Service) -> Iterator[str]:
    columns = [name for name in FIELDS if name not in ("prompt", "ttl_seconds")]
    keys = service.bundle.schema.keys
    yield _csv_row([*columns, *keys])
    for stored in records:
        nothing = dataclasses.replace(stored, degrees=bytes(4 * len(keys)))  # an import refuses the row and names it
        record = _expressed(stored, service) or nothing
        seen = record.kind == "seen"
        hidden = "true" if seen and record.detail.get("hidden") else ""
        expires = "" if record.expires_at is None else repr(record.expires_at)
        cells = {"id": record.id, "label": record.label, "kind": record.kind, "hidden": hidden, "expires_at": expires}
        cells["detail"] = "" if seen else record.detail_json
        yield _csv_row([*(cells[name] for name in columns), *([""] * len(keys) if seen else _numbers(record))])


def _csv_row(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _numbers(record: ClassRecord) -> list[str]:
    """The degrees with the nine digits that name every float32 exactly."""
    degrees = np.frombuffer(record.degrees, dtype="<f4").tolist()
    return [f"{degree:.9g}" for degree in degrees]
