"""Bulk work beside the bare loop: what reading, ranking and writing rows costs on top of decoding and the model.

``python -m benchmarks.bulk [PHOTOS]`` makes photos of 500 x 375 pixels and classifies them with the demo bundle in turn
in three ways: the bare loop decodes 16 photos and runs the model on them, one thing after the other; the shards of
`duet bulk` are done as the command does them; the bare loop again with the same number of decoding threads ahead. The
best of some rounds counts. Processor times are those of all threads: other work on the machine counts less in them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from duet_core.bulk.begin import Options, begin
from duet_core.bulk.classifier import Question, ahead
from duet_core.bulk.job import locked
from duet_core.bulk.worker import Worker
from duet_core.runtime import Encoder, Look, open_bundle
from duet_core.runtime.photos import PhotoLimits, photo_pixels
from duet_core.runtime.sessions import thread_count

BUNDLE = Path("models/birds")
GALLERY = Path("app/web/static/gallery")
LIMITS = PhotoLimits(pixels=25_000_000, side=10_000, aspect=50)
BATCH = 16
ROUNDS = 5

Looking = Callable[[bytes], Look]
Took = tuple[float, float]
"""Seconds, and seconds of processor time."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="?", type=int, default=320)
    count = parser.parse_args().photos
    with tempfile.TemporaryDirectory() as folder:
        photos = list(_photos(Path(folder) / "photos", count))
        encoder, preprocessing = Encoder(bundle := open_bundle(BUNDLE)), bundle.preprocessing
        look = partial(photo_pixels, prepare=encoder.look, limits=LIMITS, side=preprocessing.resize)
        best = dict.fromkeys(("bare loop", "bare loop, decoding ahead", "duet bulk"), (float("inf"), float("inf")))
        for _ in range(ROUNDS):
            for name in best:
                took = (
                    _bulk(Path(folder))
                    if name == "duet bulk"
                    else _bare(encoder, look, photos, ahead_of="ahead" in name)
                )
                best[name] = (min(best[name][0], took[0]), min(best[name][1], took[1]))
    print(f"{thread_count()} cores, {BUNDLE}, {count} photos, best of {ROUNDS}\n")
    print("| way | photos a second | of the bare loop | processor ms a photo | of the bare loop |\n" + "|---" * 5 + "|")
    wall, cpu = best["bare loop"]
    for name, (seconds, spent) in best.items():
        cells = [name, f"{count / seconds:.1f}", f"{wall / seconds:.2f}", f"{1000 * spent / count:.1f}"]
        print("| " + " | ".join([*cells, f"{spent / cpu:.2f}"]) + " |")


def _photos(folder: Path, count: int) -> Iterator[Path]:
    """Photos of 500 x 375 pixels, each another part of a gallery picture."""
    folder.mkdir()
    random = np.random.default_rng(0)
    pictures = [Image.open(path).convert("RGB") for path in sorted(GALLERY.glob("*.jpg"))]
    for number in range(count):
        picture = pictures[number % len(pictures)]
        left, top = (int(random.integers(0, side // 4)) for side in picture.size)
        part = picture.crop((left, top, left + picture.width * 3 // 4, top + picture.height * 3 // 4))
        path = folder / f"{number:06}.jpg"
        part.resize((500, 375)).save(path, quality=92)
        yield path


def _bare(encoder: Encoder, look: Looking, photos: list[Path], *, ahead_of: bool) -> Took:
    def read(photo: Path) -> NDArray[np.float32]:
        return look(photo.read_bytes()).pixels

    def loop() -> None:
        with ThreadPoolExecutor(thread_count()) as pool:
            prepared = ahead(pool, read, photos, depth=2 * BATCH) if ahead_of else map(read, photos)
            while batch := list(islice(prepared, BATCH)):
                encoder.encode_pixels(np.stack(batch))

    return _timed(loop)


def _timed(work: Callable[[], object]) -> Took:
    start, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - spent


def _bulk(folder: Path) -> Took:
    """Without what happens once a job: opening the bundle, planning."""

    options = Options(
        photos=folder / "photos",
        column="path",
        out=folder / "predictions.parquet",
        bundle=BUNDLE,
        classes=None,
        question=Question(candidates="all", top_k=3, gamma=None),
        attributes=False,
        limits=LIMITS,
        max_bytes=10 * 2**20,
        shard_rows=100,
        batch=BATCH,
        decode_workers=thread_count(),
        restart=True,
    )
    with locked(options.out):
        begun = begin(options)
        assert begun is not None
        job, work = begun
        worker = Worker(work)

        def loop() -> None:
            for _ in worker.do(range(job.shards)):
                pass
            job.join()

        return _timed(loop)


if __name__ == "__main__":
    main()
