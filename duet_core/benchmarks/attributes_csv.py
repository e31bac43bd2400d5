"""Class attributes as a table: a line for each class, a column for each attribute, as any spreadsheet saves it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from duet_core.benchmarks.descriptions import ClassDescriptions, DescriptionBuilder, Kind
from duet_core.benchmarks.mistakes import Mistake, Place

_HEAD = re.compile(r'\s*"?class"?\s*([,;\t]|$)', re.IGNORECASE)
_YES, _NO = {"yes", "x", "true"}, {"no", "false"}


def read_csv(file: Path) -> tuple[ClassDescriptions | None, list[Mistake]]:
    """What a table says, and every mistake in it.

    The first line has the heads: ``class``, then ``prompt: name`` of each attribute. A cell is a degree (0 or more, on
    any scale), or yes, no or x; yes and x are 1. An empty cell is "no" in a table of yes and no, and a mistake in a
    table of numbers. Cells are separated by commas, semicolons (then a decimal comma is read too) or tabs. Lines before
    the heads may begin with ``#``.
    """
    builder = DescriptionBuilder(file.name)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        builder.mistake(Place(file.name, line), "not UTF-8; in the spreadsheet choose the format 'CSV UTF-8'")
        return None, builder.mistakes
    lines = io.StringIO(text, newline="").readlines()
    remarks = next((row for row, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    head = _HEAD.match(lines[remarks]) if remarks < len(lines) else None
    if head is None:
        got = lines[remarks].strip()[:60] if remarks < len(lines) else "nothing"
        text = f"the heads: got {got!r}; expected 'class' and the attributes, such as: class,color: red,color: blue"
        builder.mistake(Place(file.name, remarks + 1), text)
        return None, builder.mistakes
    delimiter = head[1] or ","
    try:
        _read_table(builder, _records(file.name, lines[remarks:], remarks, delimiter), delimiter)
    except csv.Error as error:
        builder.mistake(Place(file.name), f"not a CSV table: {error}; save it again from the spreadsheet")
    return builder.finish(), builder.mistakes


def _records(file: str, lines: list[str], skipped: int, delimiter: str) -> Iterator[tuple[Place, list[str]]]:
    """The lines of the table that are not empty, each with the place where it begins."""
    reader, begin = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True), 0
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield Place(file, skipped + begin + 1), [cell.strip() for cell in cells]
        begin = reader.line_num


def _read_table(builder: DescriptionBuilder, records: Iterator[tuple[Place, list[str]]], delimiter: str) -> None:
    where, heads = next(records)
    while len(heads) > 1 and not heads[-1]:
        heads.pop()  # a spreadsheet's empty columns
    columns = [_attribute(builder, head, Place(where.file, where.line, 2 + i)) for i, head in enumerate(heads[1:])]
    for place, cells in records:
        while len(cells) > len(heads) and not cells[-1]:
            cells.pop()
        if len(cells) != len(heads):
            advice = "" if delimiter != "," else "; a name with a comma in it stands in quotes"
            builder.mistake(place, f"got {len(cells)} cells, expected {len(heads)} as in the heads{advice}")
            continue
        name = builder.begin_class(cells[0], Place(place.file, place.line, 1))
        for column, (row, cell) in enumerate(zip(columns, cells[1:], strict=True), start=2):
            if name is not None and row is not None:
                _degree(builder, name, row, cell, Place(place.file, place.line, column), heads[column - 1], delimiter)


def _attribute(builder: DescriptionBuilder, head: str, place: Place) -> int | None:
    prompt, colon, name = head.partition(":")
    if not colon:
        builder.mistake(place, f"head: got {head!r}; expected 'prompt: name', such as 'wing color: blue'")
        return None
    return builder.attribute(prompt.strip(), name.strip(), place)


def _degree(
    builder: DescriptionBuilder, name: str, row: int, cell: str, place: Place, head: str, delimiter: str
) -> None:
    kind: Kind = "number"
    if not cell:
        value, kind = 0.0, "blank"
    elif cell.lower() in _YES | _NO:
        value, kind = float(cell.lower() in _YES), "mark" if cell.lower() in _YES else "number"
    else:
        try:
            value = float(cell.replace(",", ".") if delimiter == ";" else cell)
        except ValueError:
            builder.mistake(place, f"{head!r}: got {cell!r}; allowed is a degree such as 0.8, or yes, no, x")
            return
    builder.degree(name, row, value, kind, place)


def csv_text(described: ClassDescriptions) -> str:
    """The table that `read_csv` reads back to the same classes; every degree as a number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["class", *described.schema.keys])
    for name, degrees in zip(described.names, described.raw, strict=True):
        writer.writerow([name, *(np.format_float_positional(degree, trim="-") for degree in degrees)])
    return out.getvalue()
