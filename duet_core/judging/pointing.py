"""The pointing game: does the hottest pixel of a map lie in the bird's box, and more often than the centre does?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from duet_core.classes import FloatArray
from duet_core.judging.boxes import Box
from duet_core.judging.photos import WholePhoto
from duet_core.judging.tables import table
from duet_core.runtime import Bundle, Encoder, Preprocessing
from duet_core.runtime.heat_map import DoubleArray, Occlusion

_LEAST_HALF = 40
LARGEST = 0.6
"""Photos whose box covers more of the square are left out: nearly every guess would be right."""

Pixels = NDArray[np.float32]
Mapper = Callable[[Pixels, FloatArray, FloatArray], DoubleArray]
"""Pixels (3, S, S), v (A,) and weights (A,) to heat (S, S)."""


@dataclass(frozen=True)
class Seen:
    """A whole photo as the model sees it: its square, with the box (left, top, right, bottom) in pixels of it."""

    name: str
    class_name: str
    pixels: Pixels
    box: tuple[float, float, float, float]

    @property
    def area(self) -> float:
        """Share of the square that the box covers."""
        size = float(self.pixels.shape[-1])
        left, top, right, bottom = (min(max(edge, 0.0), size) for edge in self.box)
        return (right - left) * (bottom - top) / size**2

    def holds(self, x: float, y: float) -> bool:
        """Whether the box holds a point of the square."""
        return self.box[0] <= x < self.box[2] and self.box[1] <= y < self.box[3]


def in_square(box: Box, size: tuple[int, int], preprocessing: Preprocessing) -> tuple[float, float, float, float]:
    """A box of a photo of this size (width, height) in the square that the preprocessing cuts out of it."""
    scale = preprocessing.resize / min(size)
    offset = [(side * scale - preprocessing.size) / 2 for side in size]
    return (
        box.left * scale - offset[0],
        box.top * scale - offset[1],
        (box.left + box.width) * scale - offset[0],
        (box.top + box.height) * scale - offset[1],
    )


def off_centre(photo: WholePhoto) -> WholePhoto | None:
    """The largest square window of the photo that holds the whole box, but not in its middle; None when there is none.

    People put birds in the middle of their photos, so that the middle is nearly always right: here it never is.
    """
    (width, height), box = photo.image.size, photo.box
    right, bottom = box.left + box.width, box.top + box.height
    for side in range(min(width, height), 2 * _LEAST_HALF, -8):
        half = side // 2
        for left, top in (
            (box.left, _beside(box.top, bottom, side, height)),
            (right - side, _beside(box.top, bottom, side, height)),
            (_beside(box.left, right, side, width), box.top),
            (_beside(box.left, right, side, width), bottom - side),
        ):
            inside = 0 <= left <= box.left and right <= left + side <= width
            inside &= 0 <= top <= box.top and bottom <= top + side <= height
            if inside and not box.contains(left + half, top + half):
                moved = Box(box.left - left, box.top - top, box.width, box.height, box.likeness)
                return WholePhoto(
                    photo.name, photo.class_name, photo.image.crop((left, top, left + side, top + side)), moved
                )
    return None


def _beside(low: int, high: int, side: int, limit: int) -> int:
    """Where a window of this side begins so that low…high is in its middle, as far as the photo reaches."""
    return min(max((low + high - side) // 2, 0), limit - side)


def seen_photos(photos: Iterable[WholePhoto], encoder: Encoder, preprocessing: Preprocessing) -> list[Seen]:
    """The photos as the model sees them, without those that a bird fills."""
    found = []
    for photo in photos:
        box = in_square(photo.box, photo.image.size, preprocessing)
        seen = Seen(photo.name, photo.class_name, encoder.prepare(photo.image), box)
        if 0 < seen.area <= LARGEST:
            found.append(seen)
    return found


def occlusion_mapper(encoder: Encoder, occlusion: Occlusion, *, batch: int = 16) -> Mapper:
    """Maps by covering patches, as POST /explain/map makes them."""

    def heat(pixels: Pixels, v: FloatArray, weights: FloatArray) -> DoubleArray:
        copies = occlusion.covered(pixels)
        parts = [encoder.encode_pixels(copies[start : start + batch]).v for start in range(0, len(copies), batch)]
        return occlusion.heat(v, np.concatenate(parts), weights, pixels.shape[-1])

    return heat


def centre(pixels: Pixels, v: FloatArray, weights: FloatArray) -> DoubleArray:  # noqa: ARG001
    """The prior that every method has to beat: hottest in the middle."""
    away = np.arange(pixels.shape[-1]) - (pixels.shape[-1] - 1) / 2
    return np.asarray(-(away[:, None] ** 2 + away[None] ** 2))


def hottest(heat: DoubleArray) -> tuple[float, float]:
    """The hottest point (x, y); the middle of all pixels that are equally hot."""
    rows, columns = np.nonzero(heat >= heat.max() - 1e-9)
    return float(columns.mean()), float(rows.mean())


def share_inside(heat: DoubleArray, seen: Seen) -> float:
    """Share of all heat above 0 that lies in the box; the box's share of the square when it is spread evenly."""
    size = len(heat)
    left, top, right, bottom = (round(min(max(edge, 0.0), size)) for edge in seen.box)
    warm = np.maximum(heat, 0)
    return float(warm[top:bottom, left:right].sum() / warm.sum()) if warm.sum() > 0 else seen.area


def play(photos: list[Seen], mappers: dict[str, Mapper], bundle: Bundle, encoder: Encoder) -> str:
    """Play it for the first prediction of every photo; one row a method, with its share of hits.

    Weights are those of the service: the class's vector less the mean class's.
    """
    if not photos:
        return "no photo of this kind"
    mean = bundle.classes.z.mean(axis=0)
    hits: dict[str, list[bool]] = {name: [] for name in mappers}
    inside: dict[str, list[float]] = {name: [] for name in mappers}
    for photo in photos:
        v = encoder.encode_pixels(photo.pixels[None]).v[0]
        weights = bundle.classes.z[int((bundle.classes.z @ v).argmax())] - mean
        for name, mapper in mappers.items():
            heat = mapper(photo.pixels, v, weights)
            hits[name].append(photo.holds(*hottest(heat)))
            inside[name].append(share_inside(heat, photo))
    rows = [
        [name, float(np.mean(hits[name])), "" if mapper is centre else float(np.mean(inside[name]))]
        for name, mapper in mappers.items()
    ]
    area = float(np.mean([photo.area for photo in photos]))
    return table(("map", f"hits in {len(photos)} photos", f"heat in the box (its area: {area:.3f})"), rows)
