"""Where in a whole photo a crop was cut out, found again by matching when only the two pictures are left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DoubleArray = NDArray[np.float64]

_COARSE = 64
"""Short side in pixels at which every size and place is tried."""
_SIZES = 22
"""Widths and heights tried there, from `_SMALLEST` of the side to all of it, in equal ratios."""
_SMALLEST = 0.12
_STARTS = 3
"""Best coarse matches that are refined."""


@dataclass(frozen=True)
class Box:
    """A rectangle in a photo, in pixels of it; `likeness` is the correlation of the crop and what the box holds."""

    left: int
    top: int
    width: int
    height: int
    likeness: float

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies inside."""
        return self.left <= x < self.left + self.width and self.top <= y < self.top + self.height


def find_box(photo: Image.Image, crop: Image.Image) -> Box:
    """The box of `photo` that, stretched to the crop's shape, looks most like `crop`.

    Every place and a grid of widths and heights are tried on a small copy by normalised correlation; the best are then
    moved and resized in ever smaller steps on the photo itself. Callers refuse boxes of low `likeness`.
    """
    whole, part = photo.convert("L"), crop.convert("L")
    scale = min(1.0, _COARSE / min(whole.size))
    small = whole.resize((round(whole.width * scale), round(whole.height * scale)), Image.Resampling.BOX)
    starts = _coarse_matches(small, part)
    pixels = np.asarray(whole, dtype=np.float64)
    found = (_refined(pixels, part, tuple(round(value / scale) for value in start)) for start in starts)
    return max(found, key=lambda box: box.likeness)


def _coarse_matches(photo: Image.Image, crop: Image.Image) -> list[tuple[int, int, int, int]]:
    """The best boxes (left, top, width, height) of the small copy, at most one a size, best first."""
    pixels = np.asarray(photo, dtype=np.float64)
    spectrum = np.fft.rfft2(pixels)
    sums, squares = _integral(pixels), _integral(pixels**2)
    best = []
    for width in _sizes(photo.width):
        for height in _sizes(photo.height):
            template = np.asarray(crop.resize((width, height), Image.Resampling.BOX), dtype=np.float64)
            template = template - template.mean()
            norm = np.sqrt((template**2).sum())
            if norm == 0:
                continue
            product = np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(template, pixels.shape)), pixels.shape)
            rows, columns = pixels.shape[0] - height + 1, pixels.shape[1] - width + 1
            mean = _windows(sums, height, width) / (height * width)
            spread = np.sqrt(np.maximum(_windows(squares, height, width) - height * width * mean**2, 1e-6))
            likeness = product[:rows, :columns] / (spread * norm)
            top, left = np.unravel_index(int(likeness.argmax()), likeness.shape)
            best.append((float(likeness[top, left]), (int(left), int(top), width, height)))
    best.sort(reverse=True)
    return [box for _, box in best[:_STARTS]]


def _sizes(side: int) -> list[int]:
    ratios = np.geomspace(_SMALLEST, 1.0, _SIZES)
    return sorted({max(4, round(side * float(ratio))) for ratio in ratios})


def _integral(values: DoubleArray) -> DoubleArray:
    """(H + 1, W + 1) sums over everything above and left."""
    total = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    total[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    return total


def _windows(integral: DoubleArray, height: int, width: int) -> DoubleArray:
    """Sums over all windows of this size, from an integral image."""
    return np.asarray(
        integral[height:, width:]
        - integral[:-height, width:]
        - integral[height:, :-width]
        + integral[:-height, :-width]
    )


def _refined(pixels: DoubleArray, crop: Image.Image, start: tuple[int, ...]) -> Box:
    """Move the four edges in steps of 8, 4, 2 and 1 pixels for as long as the likeness grows."""
    edges = [start[0], start[1], start[0] + start[2], start[1] + start[3]]  # left, top, right, bottom
    limits = (pixels.shape[1], pixels.shape[0]) * 2
    edges = [min(max(edge, 0), limit) for edge, limit in zip(edges, limits, strict=True)]
    likeness = _likeness(pixels, crop, edges)
    for step in (8, 4, 2, 1):
        improved = True
        while improved:
            improved = False
            for moved in ((0,), (1,), (2,), (3,), (0, 2), (1, 3)):
                for sign in (-step, step):
                    trial = [edge + sign * (place in moved) for place, edge in enumerate(edges)]
                    if any(not 0 <= edge <= limit for edge, limit in zip(trial, limits, strict=True)):
                        continue
                    found = _likeness(pixels, crop, trial)
                    if found > likeness:
                        edges, likeness, improved = trial, found, True
    left, top, right, bottom = edges
    return Box(left, top, right - left, bottom - top, likeness)


def _likeness(pixels: DoubleArray, crop: Image.Image, edges: list[int]) -> float:
    """Correlation of a box of the photo with the crop brought to its size; -1 for a box of no size or of one shade."""
    left, top, right, bottom = edges
    if right - left < 8 or bottom - top < 8:
        return -1.0
    size = (right - left, bottom - top)
    inside = pixels[top:bottom, left:right]
    wanted = np.asarray(crop.resize(size, Image.Resampling.BILINEAR), dtype=np.float64)
    inside, wanted = inside - inside.mean(), wanted - wanted.mean()
    norm = float(np.sqrt((inside**2).sum() * (wanted**2).sum()))
    return float((inside * wanted).sum()) / norm if norm > 0 else -1.0
