"""Shards of photos to rows: threads decode ahead while the model runs, and rows are ranked while it runs on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from duet_core.bulk.photo import PhotoFiles, Prepared, Refused
from duet_core.bulk.plan import Shard
from duet_core.classes import FloatArray
from duet_core.runtime import Bundle, Candidates, ClassSet, Encoder, Ranking, rank_calibrated

Item = TypeVar("Item")
Result = TypeVar("Result")
Chunk = tuple[Shard, list[Prepared]]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked about every photo: as in POST /classify.

    Attributes:
        candidates: which classes compete.
        top_k: how many are kept of each photo.
        gamma: γ of Eq. 22; None for that of the class space or the bundle.
    """

    candidates: Candidates
    top_k: int
    gamma: float | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One photo answered, or refused: then `ranking` and `v` are None."""

    photo: Prepared
    refused: Refused | None = None
    ranking: Ranking | None = None
    v: FloatArray | None = None


class BulkClassifier:
    """A bundle at work on shards of a job. Letter key: B photos, A attributes, S side.

    The photos given to the model together are always the same ones: `batch` in a row of one shard, so that a shard done
    again, by another process or after a crash, has the same rows to the last bit.

    Args:
        bundle, classes, question: what answers what.
        files: reads the photos.
        batch: photos given to the model at once.
        decode_workers: threads that read and decode.
    """

    def __init__(
        self,
        *,
        bundle: Bundle,
        classes: ClassSet,
        question: Question,
        files: PhotoFiles,
        batch: int,
        decode_workers: int,
    ) -> None:
        self._bundle = bundle
        self._classes = classes
        self._question = question
        self._files = files
        self._batch = batch
        self._workers = decode_workers
        self._encode_pixels = Encoder(bundle).encode_pixels

    def rows(self, shards: Iterable[Shard]) -> Iterator[tuple[Shard, list[Row]]]:
        """The rows of a few photos at a time, in the order of the shards. Memory holds a few batches.

        Raises RankingError for a question without candidates, OSError as `PhotoFiles.read`.
        """
        self._classes.rows(self._question.candidates)
        with ThreadPoolExecutor(self._workers, "decode") as decode, ThreadPoolExecutor(1, "model") as model:
            prepared = ahead(decode, self._prepare, _photos(shards), depth=2 * self._batch + self._workers)
            for (shard, photos), encoded in ahead(model, self._encode, _chunks(prepared, self._batch), depth=1):
                yield shard, [self._row(photo, encoded.get(photo.row)) for photo in photos]

    def _prepare(self, item: tuple[Shard, int]) -> tuple[Shard, Prepared]:
        shard, place = item
        return shard, self._files.read(shard.first_row + place, shard.paths[place])

    def _encode(self, chunk: Chunk) -> tuple[Chunk, dict[int, FloatArray]]:
        """The chunk, and v (A,) of its photos by row."""
        good = [(photo.row, photo.pixels) for photo in chunk[1] if not isinstance(photo.pixels, Refused)]
        if not good:
            return chunk, {}
        v = self._encode_pixels(np.stack([pixels for _, pixels in good])).v  # (B, A)
        return chunk, {row: v[place] for place, (row, _) in enumerate(good)}

    def _row(self, photo: Prepared, v: FloatArray | None) -> Row:
        if isinstance(photo.pixels, Refused):
            return Row(photo=photo, refused=photo.pixels)
        assert v is not None
        if not np.isfinite(v).all():
            return Row(photo=photo, refused=Refused("not-finite", "The model's answer is not a number."))
        asked = self._question
        ranking = rank_calibrated(
            self._bundle, v, self._classes, top_k=asked.top_k, candidates=asked.candidates, gamma=asked.gamma
        )
        return Row(photo=photo, ranking=ranking, v=v)


def ahead(
    pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], *, depth: int
) -> Iterator[Result]:
    """`work` of each item in their order; up to `depth` + 1 are begun, and dropped at an error or an early end."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _photos(shards: Iterable[Shard]) -> Iterator[tuple[Shard, int]]:
    return ((shard, place) for shard in shards for place in range(len(shard.paths)))


def _chunks(prepared: Iterable[tuple[Shard, Prepared]], size: int) -> Iterator[Chunk]:
    """`size` photos in a row; the last chunk of a shard may have fewer."""
    held: list[Prepared] = []
    for shard, photo in prepared:
        held.append(photo)
        if len(held) == size or photo.row + 1 == shard.first_row + len(shard.paths):
            yield shard, held
            held = []
