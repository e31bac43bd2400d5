"""The classes of a job: those of the bundle, as a file that was exported from a service changes and adds to them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray
from duet_core.runtime import (
    BlockView,
    Bundle,
    ClassBlock,
    ClassSet,
    PromptError,
    TextInterpreter,
    degrees_from_mapping,
    degrees_from_vector,
)
from duet_core.runtime.metric import Metric

TEXTS = ("id", "label", "prompt", "kind", "detail", "expires_at", "ttl_seconds", "hidden")
"""Columns of a CSV file that are no attributes."""


class ClassFileError(ValueError):
    """A file of classes that cannot be used; the message names the row."""


def read_classes(data: bytes, kind: str, bundle: Bundle) -> ClassSet:
    """The seen classes of a bundle, hidden or renamed as the file says, and after them the classes it describes.

    Args:
        data: what `duet classes export` writes, or `duet classes import` takes. When a class expires is not looked
            at: a job's classes are those it begins with.
        kind: ".jsonl" or ".csv".

    Raises ClassFileError.
    """
    seen, live = list(bundle.classes.labels), np.ones(len(bundle.classes), dtype=np.bool_)
    described: dict[str, tuple[str, FloatArray]] = {}
    reader = _Reader(bundle)
    for number, row in _rows(data, kind, bundle.schema):
        try:
            class_id = _text(row, "id")
            place = bundle.classes.row(class_id)
            if row.get("kind") == "seen":
                if place is None:
                    raise ClassFileError(f"{class_id!r} is no seen class of the bundle")
                seen[place] = row.get("label") or seen[place]
                live[place] = row.get("hidden") is not True
                continue
            if place is not None or class_id in described:
                raise ClassFileError(f"{class_id!r} is {'a seen class' if place is not None else 'in the file twice'}")
            described[class_id] = (_text(row, "label"), reader.degrees(row))
        except (ValueError, PromptError) as error:
            raise ClassFileError(f"row {number} of the classes: {error}") from None
    metric = bundle.classes.metric
    known = ClassBlock(
        ids=bundle.classes.ids, labels=tuple(seen), seen=bundle.classes.seen, z=bundle.classes.z, metric=metric
    )
    views = [BlockView(known, None if live.all() else live)]
    if described:
        views.append(BlockView(_block(described, metric)))
    return ClassSet.of(views)


def fingerprint(classes: ClassSet) -> str:
    """Names a set of classes: equal for equal ids, labels, order and class vectors only."""
    names = json.dumps([classes.ids, classes.labels]).encode()
    digest = hashlib.sha256(names + classes.seen.tobytes())
    for view in classes.views:
        digest.update(np.ascontiguousarray(view.block.z[view.live_rows], dtype="<f4").tobytes())
    return digest.hexdigest()


def _block(described: dict[str, tuple[str, FloatArray]], metric: Metric) -> ClassBlock:
    degrees = np.stack([degrees for _, degrees in described.values()])  # (n, A)
    norms = metric.lengths(degrees)  # as the service's registry does
    return ClassBlock(
        ids=tuple(described),
        labels=tuple(label for label, _ in described.values()),
        seen=np.zeros(len(described), dtype=np.bool_),
        z=degrees / norms[:, None],
        metric=metric,
    )


class _Reader:
    """Degrees (A,) of a row; the sentence encoder is opened by the first sentence."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._interpreter: TextInterpreter | None = None

    def degrees(self, row: dict[str, Any]) -> FloatArray:
        """Raises ValueError, PromptError."""
        schema = self._bundle.schema
        if "degrees" in row:  # exported: exactly these
            degrees = np.asarray(row["degrees"], dtype=np.float32)
            fits = degrees.shape == (len(schema),) and np.isfinite(degrees).all() and (degrees >= 0).all()
            if not fits or not degrees.any():
                raise ClassFileError(f"degrees are {len(schema)} numbers of at least 0, not all 0")
            return degrees
        if isinstance(row.get("attributes"), dict):
            return degrees_from_mapping(row["attributes"], schema=schema, prior=self._bundle.prior)
        if isinstance(row.get("attributes"), list):
            return degrees_from_vector(row["attributes"], schema=schema)
        self._interpreter = self._interpreter or TextInterpreter(self._bundle)
        read = self._interpreter.interpret(_text(row, "prompt"))
        if read.unknown:
            raise ClassFileError(f"unknown attribute {read.unknown[0].key!r}")
        return read.degrees


def _rows(data: bytes, kind: str, schema: AttributeSchema) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows from 1, in CSV without the header. Raises ClassFileError."""
    try:
        text = io.StringIO(data.decode("utf-8-sig"), newline="")
        if kind == ".csv":
            for number, cells in enumerate(csv.DictReader(text, strict=True), start=1):
                yield number, _from_cells(cells, schema)
        else:
            for number, line in enumerate(text, start=1):
                if line.strip():
                    yield number, _object(line)
    except (ValueError, csv.Error) as error:
        if isinstance(error, ClassFileError):
            raise
        raise ClassFileError(f"the classes cannot be read as {kind[1:]} in UTF-8: {error}") from None


def _object(line: str) -> dict[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ClassFileError(f"got {line[:40]!r}; a line is an object with id, label and prompt")
    return row


def _from_cells(cells: dict[str, Any], schema: AttributeSchema) -> dict[str, Any]:
    """A row of a CSV file as the object that JSON lines would hold. Raises ValueError."""
    row: dict[str, Any] = {name: cells[name] for name in TEXTS if cells.get(name)}
    row["hidden"] = str(row.get("hidden", "")).lower() in ("true", "1", "yes")
    given = {key: float(cells[key]) for key in cells if key not in TEXTS and cells[key]}
    if row.get("kind", "seen") != "seen" or len(given) == len(schema):
        places = {schema.find(key): degree for key, degree in given.items()}
        name = "degrees" if row.get("kind", "seen") != "seen" else "attributes"
        row[name] = [places.get(place, 0.0) for place in range(len(schema))]
    elif given:
        row["attributes"] = given
    return row


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ClassFileError(f"{name}: got {value!r}; a text is needed")
    return " ".join(value.split())
