"""From a file of classes to records: JSON lines or CSV, each bad row named, nothing stored."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Literal

import numpy as np

from app.api.bodies import json_object
from app.api.descriptions import checked_label, describe
from app.patterns import SLUG
from app.problems import Problem
from app.registry.store import ClassRecord, as_json
from app.service import Service
from duet_core.attributes import AttributeSchema

FileKind = Literal["jsonl", "csv"]

FIELDS = ("id", "label", "prompt", "kind", "detail", "expires_at", "ttl_seconds", "hidden")
"""Columns of a CSV file that are no attributes."""
NAMED = 100
"""Most bad rows that an answer names."""


@dataclass
class Rows:
    """What a file holds: records in its order with the numbers of their rows, and what is wrong with the others."""

    records: list[ClassRecord] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    bad: list[dict[str, Any]] = field(default_factory=list)
    count_bad: int = 0

    def refuse(self, number: int, class_id: str, problem: str, told: str) -> None:
        """One row is bad; the first hundred are kept."""
        self.count_bad += 1
        if len(self.bad) < NAMED:
            self.bad.append({"row": number, "id": class_id[:80], "problem": problem, "message": told[:400]})

    def check(self) -> None:
        """Raises Problem invalid-import when a row is bad, or there is none."""
        if self.count_bad:
            first = self.bad[0]
            told = f"{self.count_bad} of {self.count_bad + len(self.records)} rows are bad; nothing was stored. "
            told += f"The first is row {first['row']}: {first['message']}"
            raise Problem("invalid-import", told, {"errors": self.bad})
        if not self.records:
            raise Problem("invalid-import", "The file has no rows.", {"example": '{"id": "a", "label": "A", …}'})


def read_rows(file: IO[bytes], kind: FileKind, service: Service) -> Rows:
    """Every row of the file, described and checked. Raises Problem invalid-import for a file without usable rows.

    JSON lines: each line is what POST /classes takes, or a line of an export. CSV: the columns are FIELDS and keys of
    attributes; an empty cell says nothing, and a row that gives all attributes is a vector. Rows are counted from 1, in
    CSV without the header.
    """
    rows, seen_ids = Rows(), dict[str, int]()
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        for number, row in _objects(text, service, rows) if kind == "csv" else _lines(text, rows):
            class_id = str(row.get("id", ""))
            try:
                record = _record(row, service)
                if class_id in seen_ids:
                    told = f"{class_id!r} is in row {seen_ids[class_id]} already; give each class once."
                    raise Problem("invalid-class", told)
            except Problem as problem:
                rows.refuse(number, class_id, problem.slug, problem.detail)
                continue
            seen_ids[class_id] = number
            rows.records.append(record)
            rows.numbers.append(number)
    except (UnicodeDecodeError, csv.Error) as error:
        raise Problem("invalid-import", f"The file cannot be read as {kind} in UTF-8: {error}.") from None
    finally:
        text.detach()
    return rows


def _lines(text: IO[str], rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text, start=1):
        if line.strip():
            try:
                yield number, json_object(line, "The line")
            except Problem as problem:
                rows.refuse(number, "", problem.slug, problem.detail)


def _objects(text: IO[str], service: Service, rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a CSV file as the objects that JSON lines would hold."""
    reader = csv.reader(text, strict=True)
    header = [name.strip() for name in next(reader, [])]
    _check_header(header, service)
    places = [None if name in FIELDS else service.bundle.schema.find(name) for name in header]
    for number, cells in enumerate(reader, start=1):
        if not any(cells):
            continue
        if len(cells) != len(header):
            rows.refuse(number, cells[0], "invalid-class", f"{len(cells)} cells; the header has {len(header)}.")
            continue
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if name in FIELDS and cell.strip()}
        try:
            degrees = {
                place: float(cell) for place, cell in zip(places, cells, strict=True) if place is not None and cell
            }
            yield number, _object(row, degrees, service.bundle.schema)
        except ValueError as error:
            rows.refuse(number, row.get("id", ""), "invalid-class", f"{error}.")


def _object(given: dict[str, str], degrees: dict[int, float], schema: AttributeSchema) -> dict[str, Any]:
    """One row of a CSV file: its FIELDS, and the degrees of attributes by their place in the schema.

    A row that fills the columns of all attributes is a vector. Raises ValueError for a cell that cannot be read.
    """
    row: dict[str, Any] = dict(given)
    if "ttl_seconds" in row:
        row["ttl_seconds"] = int(row["ttl_seconds"])
    if "expires_at" in row:
        row["expires_at"] = float(row["expires_at"])
    if "hidden" in row:
        row["hidden"] = row["hidden"].lower() in ("true", "1", "yes")
    if "detail" in row:
        row["detail"] = json.loads(row["detail"])
    every = [degrees.get(place, 0.0) for place in range(len(schema))]
    if "kind" in row and row["kind"] != "seen":
        row["degrees"] = every
    elif len(degrees) == len(schema):
        row["attributes"] = every
    elif degrees:
        row["attributes"] = {schema.keys[place]: degree for place, degree in degrees.items()}
    return row


def _check_header(header: list[str], service: Service) -> None:
    schema = service.bundle.schema
    if "id" not in header:
        members = {"got": header[:20], "allowed": [*FIELDS, "…attributes"], "example": "id,label,prompt"}
        raise Problem("invalid-import", "The first line of a CSV file names its columns; 'id' is missing.", members)
    same = [schema.find(name) for name in header if name not in FIELDS and schema.find(name) is not None]
    if len(set(header)) != len(header) or len(set(same)) != len(same):
        raise Problem("invalid-import", "A column occurs twice; give each once.", {"got": header[:20]})
    unknown = [name for name in header if name not in FIELDS and schema.find(name) is None]
    if unknown:
        errors = [{"where": name[:80], "nearest": list(schema.nearest(name[:80]))} for name in unknown[:10]]
        told = f"Unknown column {unknown[0][:80]!r} (did you mean {errors[0]['nearest'][0]!r}?)."
        raise Problem("invalid-import", told, {"errors": errors, "allowed": [*FIELDS, "attributes: see /attributes"]})


def _record(row: dict[str, Any], service: Service) -> ClassRecord:
    """A row as POST /classes takes it, or as an export gives it. Raises Problem."""
    if row.get("kind") == "seen":
        return _seen(row, service)
    record = _exported(row, service) if "degrees" in row else describe(row, service).record
    if service.bundle.classes.row(record.id) is not None:
        raise Problem("class-exists", f"{record.id!r} is a seen class of the bundle.")
    return record


def _seen(row: dict[str, Any], service: Service) -> ClassRecord:
    class_id, label = row.get("id"), row.get("label")
    if not isinstance(class_id, str) or service.bundle.classes.row(class_id) is None:
        raise Problem("invalid-class", f"{str(class_id)[:80]!r} is no seen class of the bundle.")
    return ClassRecord(
        id=class_id,
        label=checked_label(label) if label else "",
        kind="seen",
        degrees=b"",
        schema=service.schema_id,
        detail_json=as_json({"hidden": row.get("hidden") is True}),
    )


def _exported(row: dict[str, Any], service: Service) -> ClassRecord:
    """A class as it was exported: the degrees as they are, and how they came about."""
    try:
        degrees = np.asarray(row["degrees"], dtype=np.float32)
        fits = degrees.shape == (len(service.bundle.schema),) and np.isfinite(degrees).all() and (degrees >= 0).all()
    except (ValueError, TypeError, OverflowError):
        fits = False
    if not fits or not degrees.any():
        told = (
            f"degrees are {len(service.bundle.schema)} numbers of at least 0, not all 0, in the order of /attributes."
        )
        raise Problem("invalid-class", told)
    kind, detail, expires_at = row.get("kind", "vector"), row.get("detail", {}), row.get("expires_at")
    if kind not in ("vector", "mapping", "prompt") or not isinstance(detail, dict):
        raise Problem("invalid-class", "kind is vector, mapping or prompt, and detail an object.")
    if expires_at is not None and not isinstance(expires_at, int | float):
        raise Problem("invalid-class", "expires_at is a number of seconds since 1970.")
    label = row.get("label")
    checked = checked_label(label if isinstance(label, str) else None)
    return ClassRecord(
        id=_slug(row.get("id")),
        label=checked,
        kind=kind,
        degrees=degrees.astype("<f4").tobytes(),
        schema=service.schema_id,
        detail_json=as_json(detail),
        expires_at=expires_at,
    )


def _slug(class_id: object) -> str:
    if not isinstance(class_id, str) or re.fullmatch(SLUG, class_id) is None or class_id.endswith("\n"):
        raise Problem("invalid-class", "id: 1 to 64 lower-case letters, digits and inner hyphens.")
    return class_id
