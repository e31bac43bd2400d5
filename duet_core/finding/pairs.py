"""Whole photos, and the box in each from which the benchmark's crop of the same name was cut."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from duet_core.benchmarks import Benchmark
from duet_core.classes import FloatArray, IntArray
from duet_core.judging.boxes import find_box
from duet_core.judging.photos import MOST_LIKE, whole_of_crops
from duet_core.runtime import load_rgb

CACHE = Path(".cache/boxes")
_REPORTS = 10


@dataclass(frozen=True)
class Pairs:
    """n whole photos whose box can be told.

    Attributes:
        files: (n) the whole photos.
        rows: (n,) the rows of their crops in the benchmark.
        boxes: (n, 4) left, top, right, bottom, as shares 0…1 of the photo's width and height.
    """

    files: tuple[Path, ...]
    rows: IntArray
    boxes: FloatArray

    def __len__(self) -> int:
        return len(self.files)

    def among(self, rows: NDArray[np.int64]) -> Pairs:
        """Those whose crop is one of these rows."""
        chosen = np.flatnonzero(np.isin(self.rows, rows))
        return Pairs(tuple(self.files[place] for place in chosen), self.rows[chosen], self.boxes[chosen])


@dataclass(frozen=True)
class _Task:
    """A whole photo, its crop, and a key that changes with either file."""

    key: str
    photo: Path
    crop: Path


def find_pairs(
    folder: Path, benchmark: Benchmark, rows: NDArray[np.int64], *, cache: Path = CACHE
) -> Generator[str, None, Pairs]:
    """Match the crops at `rows` in whole photos <class>/<photo>.jpg of the same name; yields lines of progress.

    Every box is written into `cache` as it is found: what was found is not looked for again. Pairs of a likeness below
    `MOST_LIKE` are left out. Raises ValueError when no photo is left.
    """
    found = whole_of_crops(folder, benchmark, rows)
    tasks = [_Task(_key(file, benchmark.image_paths[row]), file, benchmark.image_paths[row]) for file, row in found]
    known = cache / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}.jsonl"
    boxes = _read(known)
    boxes |= yield from _match([task for task in tasks if task.key not in boxes], known)
    kept = [place for place, task in enumerate(tasks) if boxes[task.key][4] >= MOST_LIKE]
    if not kept:
        raise ValueError(f"{folder}: none of its photos <class>/<photo>.jpg holds a crop of {benchmark.name} asked for")
    return Pairs(
        files=tuple(found[place][0] for place in kept),
        rows=np.array([found[place][1] for place in kept]),
        boxes=np.array([boxes[tasks[place].key][:4] for place in kept], dtype=np.float32),
    )


def _key(*files: Path) -> str:
    """Changes with the files' names, sizes and dates."""
    stats = [(*file.parts[-2:], file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps(stats).encode()).hexdigest()[:32]


def _read(known: Path) -> dict[str, list[float]]:
    """Key to left, top, right, bottom and likeness; a last line cut short by an interruption counts as none."""
    if not known.is_file():
        return {}
    lines = known.read_text(encoding="utf-8").split("\n")[:-1]
    return dict(json.loads(line) for line in lines)


def _match(tasks: Sequence[_Task], known: Path) -> Generator[str, None, dict[str, list[float]]]:
    """The boxes of these, each appended to `known` as it is found; yields lines of progress."""
    found: dict[str, list[float]] = {}
    known.parent.mkdir(parents=True, exist_ok=True)
    if known.is_file() and (text := known.read_bytes()) and not text.endswith(b"\n"):
        known.write_bytes(text[: text.rfind(b"\n") + 1])
    started, step = time.monotonic(), max(1, len(tasks) // _REPORTS)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool, known.open("a", encoding="utf-8") as file:
        for done, (task, box) in enumerate(zip(tasks, pool.map(_box, tasks), strict=True), start=1):
            found[task.key] = box
            file.write(json.dumps([task.key, box]) + "\n")
            file.flush()
            if done % step == 0 or done == len(tasks):
                left = (time.monotonic() - started) / done * (len(tasks) - done)
                yield f"boxes found in {done} of {len(tasks)} whole photos, {left:.0f} s left"
    return found


def _box(task: _Task) -> list[float]:
    photo = load_rgb(task.photo)
    box, (width, height) = find_box(photo, load_rgb(task.crop)), photo.size
    right, bottom = box.left + box.width, box.top + box.height
    return [box.left / width, box.top / height, right / width, bottom / height, box.likeness]
