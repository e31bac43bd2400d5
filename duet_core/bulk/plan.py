"""The photos of a job in shards, written down before the first is read, so that every run has the same ones."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from duet_core.bulk.writing import written


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Some photos in a row, answered and written together.

    Attributes:
        number: place among the shards, from 0.
        first_row: place of its first photo among all of the job.
        paths: relative to the job's root.
    """

    number: int
    first_row: int
    paths: tuple[str, ...]


def write_plan(folder: Path, photos: Iterable[str], *, shard_rows: int) -> tuple[int, int]:
    """Write a file for each shard; returns how many shards and how many photos there are.

    One shard is in memory at once. Names that are no UTF-8 survive, as JSON's escapes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = rows = 0
    left = iter(photos)
    while paths := tuple(islice(left, shard_rows)):
        text = json.dumps({"first_row": rows, "paths": paths})
        with written(_file(folder, shards)) as file:
            file.write(text.encode("ascii"))
        shards, rows = shards + 1, rows + len(paths)
    return shards, rows


def read_shard(folder: Path, number: int) -> Shard:
    """One shard of a plan."""
    data = json.loads(_file(folder, number).read_text(encoding="ascii"))
    return Shard(number=number, first_row=int(data["first_row"]), paths=tuple(data["paths"]))


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.json"
