"""Classes as lines of a file: JSON lines or CSV, one class a line, read leniently and written exactly.

JSON lines: ``{"id": "painted-bunting", "label": "Painted Bunting", "prompt": "a small bird with …"}``, or with
``"attributes"``: a mapping of attribute to degree, or a list of numbers in schema order.

CSV: the columns ``id``, ``label``, ``prompt`` and ``attributes``; the last holds JSON. Either of the last two may be
left out.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from pydantic import BaseModel, ConfigDict, ValidationError

from duet_client.answers import StoredClass
from duet_client.errors import DuetError

COLUMNS = ("id", "label", "prompt", "attributes")


class NewClass(BaseModel):
    """A class to register, by `prompt` or by `attributes`; the service checks the rest and says what is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str
    label: str
    prompt: str | None = None
    attributes: dict[str, float] | list[float] | None = None


@dataclass(frozen=True)
class Row:
    """A line of a file: the class it describes, or why it describes none."""

    line: int
    new: NewClass | None
    mistake: str = ""


@dataclass(frozen=True)
class RowReport:
    """What became of a row.

    Attributes:
        line: where it stands in the file; for classes that come from no file, its number from 1.
        id: of the class; None when the row could not be read.
        outcome: stored; exists (nothing changed); refused (the row is wrong); failed (no answer: try again).
        stored: the service's answer to a row that was stored.
        error: why it was not.
    """

    line: int
    id: str | None
    outcome: Literal["stored", "exists", "refused", "failed"]
    stored: StoredClass | None = None
    error: DuetError | None = None


class RowMistake(DuetError):
    """A line that is no class; nothing was sent."""


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a ``.jsonl`` or ``.csv`` file, empty lines left out. Raises ValueError for another file."""
    reader = {".jsonl": _json_rows, ".csv": _csv_rows}.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: classes are read from .jsonl (one JSON object a line) or .csv ({','.join(COLUMNS)})")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        yield from reader(stream, path)


def write_rows(path: Path, classes: Iterable[NewClass]) -> int:
    """Write classes to a ``.jsonl`` or ``.csv`` file, whole or not at all; returns how many."""
    if path.suffix.lower() not in (".jsonl", ".csv"):
        raise ValueError(f"{path}: classes are written to .jsonl or .csv, such as classes.jsonl")
    count, draft = 0, path.with_name(f".{path.name}.part")
    try:
        with draft.open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, COLUMNS, lineterminator="\n") if path.suffix.lower() == ".csv" else None
            if table is not None:
                table.writeheader()
            for new in classes:
                count += 1
                row = new.model_dump(exclude_none=True)
                if table is None:
                    stream.write(json.dumps(row, ensure_ascii=False) + "\n")
                else:
                    cells = {"attributes": json.dumps(row["attributes"])} if "attributes" in row else {}
                    table.writerow(row | cells)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return count


def _json_rows(stream: TextIO, path: Path) -> Iterator[Row]:  # noqa: ARG001  # as _csv_rows
    for line, text in enumerate(stream, start=1):
        if text.strip():
            yield _row(line, text)


def _csv_rows(stream: TextIO, path: Path) -> Iterator[Row]:
    table = csv.DictReader(stream, strict=True)
    columns = table.fieldnames or ()
    if "id" not in columns or "label" not in columns or not set(columns) <= set(COLUMNS):
        raise ValueError(f"{path}: got the columns {', '.join(columns) or 'none'}; allowed are {', '.join(COLUMNS)}")
    while True:
        begins = table.line_num + 1
        try:
            cells = next(table, None)
        except csv.Error as error:
            yield Row(begins, None, f"no CSV: {error}")
            return  # where the next row begins is unknown
        if cells is None:
            return
        yield _csv_row(begins, cells)


def _csv_row(line: int, cells: dict[str | None, str | list[str] | None]) -> Row:
    if None in cells:
        return Row(line, None, "more cells than columns; a text with a comma needs quotes around it")
    given = {str(name): text for name, text in cells.items() if text not in (None, "")}
    if "attributes" in given:
        try:
            given["attributes"] = json.loads(str(given["attributes"]))
        except ValueError as error:
            return Row(line, None, f'attributes: no JSON ({error}); expected such as {{"breast color: red": 0.9}}')
    return _row(line, json.dumps(given))


def _row(line: int, text: str) -> Row:
    try:
        return Row(line, NewClass.model_validate_json(text))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return Row(line, None, f"{where}: {first['msg']}" if where else str(first["msg"]))
