"""Whole photos of seen classes, as people send them: what is lost against the bird's own box, and what gives it back.

Every way looks at one or more views of the photo, each encoded by the bundle, and makes one v of them.
Letter key: n photos, K views of a photo, A attributes.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from duet_core.benchmarks import Benchmark, Split
from duet_core.classes import FloatArray, IntArray
from duet_core.evaluation import per_class_accuracy
from duet_core.judging.photos import whole_of_crops
from duet_core.runtime import Bundle, Encoder, load_rgb

Views = Callable[[Image.Image], list[Image.Image]]
Joined = Callable[[FloatArray, Bundle], FloatArray]
"""From v (K, A) of the views of one photo to one v (A,)."""


def centre_square(image: Image.Image, share: float) -> Image.Image:
    """The central square of `share` of the short side."""
    side = max(1, round(share * min(image.size)))
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def squares(*shares: float) -> Views:
    """Views that are central squares."""
    return lambda image: [centre_square(image, share) for share in shares]


def stretched(image: Image.Image) -> list[Image.Image]:
    """The whole photo made square, nothing cut away, as the benchmark stretches its boxes."""
    side = max(image.size)
    return [image.resize((side, side), Image.Resampling.BICUBIC)]


def windows(image: Image.Image) -> list[Image.Image]:
    """The central square, and five squares of 0.7 of the short side: the centre and the four corners."""
    side = round(0.7 * min(image.size))
    right, low = image.width - side, image.height - side
    places = ((right // 2, low // 2), (0, 0), (right, 0), (0, low), (right, low))
    return [centre_square(image, 1.0), *(image.crop((x, y, x + side, y + side)) for x, y in places)]


def mean_of(v: FloatArray, _: Bundle) -> FloatArray:
    """The mean of all views."""
    return np.asarray(v.mean(axis=0), dtype=np.float32)


def surest_of(v: FloatArray, bundle: Bundle) -> FloatArray:
    """The view that fits any seen class best, by the evidence that refuses photos."""
    along = bundle.classes.along(bundle.evidence.mean)
    best = [float(bundle.evidence.values(one, bundle.classes.scores(one).astype(np.float64), along).max()) for one in v]
    return np.asarray(v[int(np.argmax(best))])


@dataclass(frozen=True)
class Way:
    """A way to look at a whole photo."""

    name: str
    views: Views
    joined: Joined = mean_of


WAYS = (
    Way("central square", squares(1.0)),
    Way("stretched to a square", stretched),
    Way("central square of 0.75", squares(0.75)),
    Way("mean of squares 1, 0.75", squares(1.0, 0.75)),
    Way("mean of squares 1, 0.8, 0.6", squares(1.0, 0.8, 0.6)),
    Way("surest of squares 1, 0.8, 0.6", squares(1.0, 0.8, 0.6), surest_of),
    Way("mean of 6 windows", windows),
    Way("surest of 6 windows", windows, surest_of),
)


@dataclass(frozen=True)
class Judgement:
    """How a way did: encodings and milliseconds a photo, accuracy per class among seen and among all classes, 0…1."""

    name: str
    encodings: float
    milliseconds: float
    among_seen: float
    among_all: float


def held_out_whole(folder: Path, benchmark: Benchmark, split: Split) -> list[tuple[Path, int]]:
    """Whole photos <class>/<photo>.jpg of which the benchmark holds the crop out, with the row of the crop.

    Photos whose crop was trained on are left out: they are the same picture. Raises ValueError when none is left.
    """
    photos = whole_of_crops(folder, benchmark, split.seen_eval)
    if not photos:
        raise ValueError(f"{folder}: none of its photos <class>/<photo>.jpg is a held-out one of {benchmark.name}")
    return photos


def judge_whole(
    bundle: Bundle, benchmark: Benchmark, split: Split, photos: Sequence[tuple[Path, int]]
) -> Iterator[Judgement]:
    """Every way on whole photos, as `held_out_whole` finds them, after the benchmark's own boxes.

    With a finder also what it finds, in whole photos and in the boxes, which need none.
    """
    label = benchmark.labels[[row for _, row in photos]]
    box, found = Way("the bird's box", lambda image: [image]), _found(bundle)
    crops, files = [benchmark.image_paths[row] for _, row in photos], [file for file, _ in photos]
    yield _judge(bundle, benchmark, split, box, crops, label)
    if found is not None:
        yield _judge(bundle, benchmark, split, found, files, label)
        yield _judge(bundle, benchmark, split, dataclasses.replace(found, name="found in the bird's box"), crops, label)
    for way in WAYS:
        yield _judge(bundle, benchmark, split, way, files, label)


def _found(bundle: Bundle) -> Way | None:
    """What the bundle's finder finds, as the service looks at it; None without a finder."""
    finder = bundle.finder
    return None if finder is None else Way("found box", lambda image: [finder.square(image, finder.find(image))])


def _judge(
    bundle: Bundle, benchmark: Benchmark, split: Split, way: Way, files: Sequence[Path], label: IntArray
) -> Judgement:
    encoder, z = Encoder(bundle), bundle.classes.metric.unit(benchmark.class_vectors)
    started, encodings, v = time.monotonic(), 0, []
    for file in files:
        views = way.views(load_rgb(file))
        encodings += len(views)
        v.append(way.joined(encoder.encode(views).v, bundle))
    spent = time.monotonic() - started
    scores = np.stack(v).astype(np.float64) @ z.T.astype(np.float64)  # (n, C)
    shown = np.unique(label)
    accuracies = []
    for candidates in (split.seen_classes, np.concatenate([split.seen_classes, split.unseen_classes])):
        handicap = bundle.calibration.gamma * np.isin(candidates, split.seen_classes)
        predicted = candidates[(scores[:, candidates] - handicap).argmax(axis=1)]
        accuracies.append(per_class_accuracy(predicted, label, shown))
    return Judgement(way.name, encodings / len(files), 1000 * spent / len(files), *accuracies)
