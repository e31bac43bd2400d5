"""What one process does for a job: takes shards, writes them. The same on this machine and on a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet

from duet_core.bulk.classes import fingerprint, read_classes
from duet_core.bulk.classifier import BulkClassifier, Question, Row
from duet_core.bulk.job import CLASSES, PLAN, JobError, shard_file
from duet_core.bulk.photo import PhotoFiles
from duet_core.bulk.plan import read_shard
from duet_core.bulk.table import table
from duet_core.bulk.writing import written
from duet_core.runtime import Bundle, ClassSet, Encoder, open_bundle
from duet_core.runtime.photos import PhotoLimits
from duet_core.runtime.sessions import Execution


@dataclass(frozen=True, kw_only=True)
class Work:
    """All that a process has to know to do shards of a job; can be sent to another machine.

    Attributes:
        folder: the work folder.
        root: where the photos' paths begin.
        bundle: the bundle's folder.
        checksum: of the bundle, so that no machine answers with another.
        classes: fingerprint of the classes.
        question: what is asked.
        limits, max_bytes: what is refused.
        attributes: whether v is kept.
        batch, decode_workers: see BulkClassifier.
        threads: that the model gets; None for what `choose_threads` finds.
    """

    folder: Path
    root: Path
    bundle: Path
    checksum: str
    classes: str
    question: Question
    limits: PhotoLimits
    max_bytes: int
    attributes: bool
    batch: int
    decode_workers: int
    threads: int | None = None


@dataclass(frozen=True)
class Progress:
    """Photos answered or refused since the last one, and how many of them were refused."""

    photos: int
    refused: int


def classes_of(folder: Path, bundle: Bundle) -> ClassSet:
    """The classes a job began with: its file of classes where it has one, else the bundle's. Raises ClassFileError."""
    for kind in (".jsonl", ".csv"):
        if (file := folder / f"{CLASSES}{kind}").is_file():
            return read_classes(file.read_bytes(), kind, bundle)
    return bundle.classes


class Worker:
    """A bundle opened for a job. Raises BundleError, and JobError where bundle or classes are not those of the job."""

    def __init__(self, work: Work) -> None:
        bundle = open_bundle(work.bundle, execution=Execution(threads=work.threads))
        classes = classes_of(work.folder, bundle)
        for what, got, wanted in (
            ("bundle", bundle.checksum, work.checksum),
            ("set of classes", fingerprint(classes), work.classes),
        ):
            if got != wanted:
                raise JobError(f"{work.bundle}: {what} {got}, the job began with {wanted}")
        self._work = work
        self._attributes = len(bundle.schema) if work.attributes else None
        self._same: dict[str, object] = {
            "model": bundle.model_id,
            "bundle": work.checksum,
            "classes": work.classes,
            "gamma": work.question.gamma,
        }
        self._classifier = BulkClassifier(
            bundle=bundle,
            classes=classes,
            question=work.question,
            files=PhotoFiles(
                root=work.root,
                prepare=Encoder(bundle).look,
                side=bundle.preprocessing.resize,
                limits=work.limits,
                max_bytes=work.max_bytes,
            ),
            batch=work.batch,
            decode_workers=work.decode_workers,
        )

    def do(self, numbers: Iterable[int]) -> Iterator[Progress]:
        """Answer and write these shards, and tell of every few photos. Raises OSError, and what the model raises."""
        held: list[arrow.Table] = []
        count = 0
        for shard, rows in self._classifier.rows(map(partial(read_shard, self._work.folder / PLAN), numbers)):
            held.append(self._table(rows))
            count += len(rows)
            if count == len(shard.paths):
                self._write(shard.number, held)
                held, count = [], 0
            yield Progress(len(rows), sum(row.refused is not None for row in rows))

    def _table(self, rows: list[Row]) -> arrow.Table:
        return table(rows, same=self._same, attributes=self._attributes)

    def _write(self, number: int, tables: list[arrow.Table]) -> None:
        with written(shard_file(self._work.folder, number)) as file:
            parquet.write_table(arrow.concat_tables(tables).unify_dictionaries(), file, compression="zstd")
