"""What a bundle says of many photos: of a benchmark's split, of foreign pictures, of scenery without the bird."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from duet_core.benchmarks import Benchmark
from duet_core.classes import BoolArray, FloatArray, IntArray
from duet_core.judging.boxes import Box, find_box
from duet_core.judging.foreign import ForeignPicture
from duet_core.runtime import Encoder, load_rgb
from duet_core.runtime.metric import Metric

MOST_LIKE = 0.95
"""Boxes of a lower likeness are not believed."""
_LEAST_SCENERY = 72
_BATCH = 8


@dataclass(frozen=True)
class Photos:
    """N photos. `v` (N, A) and `state` (N, D) by the bundle, `label` (N,) global class rows; -1 for foreign ones."""

    v: FloatArray
    state: FloatArray
    label: IntArray

    def __len__(self) -> int:
        return len(self.label)

    def coordinates(self, metric: Metric) -> Photos:
        """The same photos with v (N, r) in the coordinates of a metric of class vectors."""
        return Photos(metric.photo_coordinates(self.v).astype(np.float32), self.state, self.label)

    def __getitem__(self, chosen: BoolArray | slice) -> Photos:
        return Photos(self.v[chosen], self.state[chosen], self.label[chosen])


def encode(
    encoder: Encoder, images: Iterable[Image.Image], label: IntArray | None = None, *, find: bool = False
) -> Photos:
    """v and state of images, a few at a time; with `find` of what the finder finds in them, as the service does.

    Raises ValueError for none at all.
    """
    source = iter(images)
    parts = []
    while batch := list(islice(source, _BATCH)):
        parts.append(encoder.encode_pixels(np.stack([encoder.look(image, find=find).pixels for image in batch])))
    if not parts:
        raise ValueError("no photo to encode")
    v, state = (np.concatenate([getattr(part, name) for part in parts]) for name in ("v", "state"))
    return Photos(v, state, np.full(len(v), -1, dtype=np.int64) if label is None else label)


def encode_rows(encoder: Encoder, benchmark: Benchmark, rows: IntArray) -> Photos:
    """Photos of a benchmark by row."""
    return encode(encoder, (load_rgb(benchmark.image_paths[row]) for row in rows), benchmark.labels[rows])


@dataclass(frozen=True)
class WholePhoto:
    """A whole photo, the box its crop in the benchmark was cut from, and its class's folder name."""

    name: str
    class_name: str
    image: Image.Image
    box: Box


def whole_of_crops(folder: Path, benchmark: Benchmark, rows: IntArray) -> list[tuple[Path, int]]:
    """Whole photos <class>/<photo>.jpg, by name, and which of the crops at `rows` has the same class and file name."""
    crops = {benchmark.image_paths[row].parts[-2:]: int(row) for row in rows}
    return [(file, crops[file.parts[-2:]]) for file in sorted(folder.glob("*/*.jpg")) if file.parts[-2:] in crops]


def whole_photos(folder: Path, benchmark: Benchmark, count: int) -> Iterator[WholePhoto]:
    """About `count` photos, evenly from the classes of `folder`, whose box in the photo can be told.

    The benchmark must have a crop of the same class and file name.
    """
    paired = whole_of_crops(folder, benchmark, np.arange(len(benchmark.image_paths)))
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    for place in classes:
        of_class = [(file, row) for file, row in paired if file.parent == place]
        for file, row in of_class[: -(-count // len(classes))]:
            image = load_rgb(file)
            box = find_box(image, load_rgb(benchmark.image_paths[row]))
            if box.likeness >= MOST_LIKE:
                yield WholePhoto(f"{place.name}/{file.name}", place.name, image, box)


def scenery(photos: Iterable[WholePhoto]) -> Iterator[ForeignPicture]:
    """The largest square beside the bird of each photo that has room for one: same cameras and places, no bird."""
    for photo in photos:
        (width, height), box = photo.image.size, photo.box
        right, bottom = box.left + box.width, box.top + box.height
        sides = (
            (0, 0, box.left, height),
            (right, 0, width, height),
            (0, 0, width, box.top),
            (0, bottom, width, height),
        )
        left, top, end, low = max(sides, key=lambda side: min(side[2] - side[0], side[3] - side[1]))
        size = min(end - left, low - top)
        if size >= _LEAST_SCENERY:
            x, y = (left + end - size) // 2, (top + low - size) // 2
            yield ForeignPicture("scenery", photo.name, photo.image.crop((x, y, x + size, y + size)))
