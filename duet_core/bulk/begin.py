"""How a job begins, or is found begun: everything is checked before the first photo is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duet_core.bulk.classes import fingerprint, read_classes
from duet_core.bulk.classifier import Question
from duet_core.bulk.job import CLASSES, Job, check_same, finished, plan_job, planned, remove_work, work_folder
from duet_core.bulk.photo_list import PhotoList
from duet_core.bulk.worker import Work
from duet_core.bulk.writing import written
from duet_core.runtime import Bundle, open_bundle
from duet_core.runtime.photos import PhotoLimits

Fetched = tuple[bytes, float | None]
"""Classes as JSON lines, and the γ of their class space or None."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service whose classes compete.

    Attributes:
        address, space: which classes.
        fetch: asks for them.
    """

    address: str
    space: str
    fetch: Callable[[], Fetched]


@dataclass(frozen=True, kw_only=True)
class Options:
    """A job as it was asked for. Raises ValueError for numbers that make no sense, all at once."""

    photos: Path
    column: str
    out: Path
    bundle: Path
    classes: Path | Service | None
    question: Question
    attributes: bool
    limits: PhotoLimits
    max_bytes: int
    shard_rows: int
    batch: int
    decode_workers: int
    restart: bool

    def __post_init__(self) -> None:
        least = {
            "--shard-rows": self.shard_rows,
            "--batch": self.batch,
            "--decode-workers": self.decode_workers,
            "--top-k": self.question.top_k,
            "--max-bytes": self.max_bytes,
            "--max-pixels": self.limits.pixels,
            "--max-side": self.limits.side,
        }
        wrong = [f"{name} {value}" for name, value in least.items() if value < 1]
        if wrong:
            raise ValueError(f"got {', '.join(wrong)}; at least 1 is allowed")


def begin(options: Options) -> tuple[Job, Work] | None:
    """The job to be done or gone on with, and what a process has to know for it; None when its file is finished.

    To be called with the file `locked`.

    Raises:
        JobError: another job was begun or finished for the same file, or the file is none of ours.
        BundleError, ClassFileError, RankingError, ValueError, OSError: of what was asked for.
    """
    made = finished(options.out)
    folder = work_folder(options.out)
    before = None if options.restart else planned(options.out)
    if before is None:
        remove_work(folder)
    photos, bundle = PhotoList(options.photos, column=options.column), open_bundle(options.bundle)
    source, data, kind, gamma = _classes(options, folder, before)
    classes = bundle.classes if data is None else read_classes(data, kind, bundle)
    classes.rows(options.question.candidates)
    asked = _asked(options, bundle, photos, gamma) | source | {"classes": fingerprint(classes)}
    if before is not None:
        check_same(asked, before.asked, f"{options.out} was begun")
        job = before
    elif made is not None and not options.restart:
        check_same(asked, made, f"{options.out} was made")
        return None
    else:
        if data is not None:
            with written(folder / f"{CLASSES}{kind}") as file:
                file.write(data)
        job = plan_job(options.out, asked, photos, lambda: photos.left_out)
    work = Work(
        folder=folder.resolve(),
        root=photos.root,
        bundle=options.bundle.resolve(),
        checksum=bundle.checksum,
        classes=str(asked["classes"]),
        question=Question(
            candidates=options.question.candidates, top_k=options.question.top_k, gamma=float(asked["gamma"])
        ),
        limits=options.limits,
        max_bytes=options.max_bytes,
        attributes=options.attributes,
        batch=options.batch,
        decode_workers=options.decode_workers,
    )
    return job, work


def _asked(options: Options, bundle: Bundle, photos: PhotoList, gamma: float | None) -> dict[str, Any]:
    """All that the rows depend on."""
    chosen = gamma if options.question.gamma is None else options.question.gamma
    return {
        "photos": str(photos.source),
        "column": options.column,
        "model": bundle.model_id,
        "bundle": bundle.checksum,
        "candidates": options.question.candidates,
        "top_k": options.question.top_k,
        "gamma": bundle.calibration.gamma if chosen is None else chosen,
        "attributes": options.attributes,
        "max_bytes": options.max_bytes,
        "max_pixels": options.limits.pixels,
        "max_side": options.limits.side,
        "decode_memory": options.limits.memory,
        "shard_rows": options.shard_rows,
    }


def _classes(
    options: Options, folder: Path, before: Job | None
) -> tuple[dict[str, Any], bytes | None, str, float | None]:
    """Where the classes come from, for comparison; the file of classes, its kind; γ of their class space.

    A job that was begun with the classes of a service keeps those it began with.
    """
    asked = options.classes
    if asked is None:
        return {}, None, "", None
    if isinstance(asked, Path):
        kind = asked.suffix.lower()
        if kind not in (".jsonl", ".csv"):
            raise ValueError(f"{asked}: files of classes are .jsonl or .csv, as `duet classes export` writes them")
        return {}, asked.read_bytes(), kind, None
    source = {"server": asked.address, "space": asked.space}
    kept = folder / f"{CLASSES}.jsonl"
    if before is not None and source.items() <= before.asked.items():
        return source, kept.read_bytes(), ".jsonl", float(before.asked["gamma"])
    data, gamma = asked.fetch()
    return source, data, ".jsonl", gamma
