"""Where in a photo an answer comes from: what the score loses when a part of the photo is covered (occlusion).

It asks the model nothing but v, so every bundle can be explained, and one set of covered photos explains every
attribute and every class. Letter key: M covered copies, S side in pixels, A attributes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from duet_core.classes import FloatArray

DoubleArray = NDArray[np.float64]

_STRONGEST = 0.65
"""Opacity of the overlay where the heat is greatest."""


@dataclass(frozen=True)
class Occlusion:
    """Square patches on a grid over the photo.

    Attributes:
        patch: side of a patch as a share of the photo's.
        steps: patches in a row and in a column; they overlap when `patch` is more than 1 / `steps`.
    """

    patch: float = 1 / 3
    steps: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.patch < 1 or self.steps < 2:
            raise ValueError(f"patch {self.patch}, steps {self.steps}; allowed are 0 to 1 and at least 2, as 1/3 and 5")

    @property
    def count(self) -> int:
        """M, the copies of a photo that are made."""
        return self.steps**2

    def _squares(self, size: int) -> list[tuple[slice, slice]]:
        side = max(1, round(self.patch * size))
        starts = np.linspace(0, size - side, self.steps).round().astype(int).tolist()
        return [(slice(y, y + side), slice(x, x + side)) for y in starts for x in starts]

    def covered(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """(M, 3, S, S) copies of prepared pixels (3, S, S), each with one patch in the photo's mean colour."""
        copies = np.repeat(pixels[None], self.count, axis=0)
        mean = pixels.mean(axis=(1, 2))[:, None, None]
        for copy, (rows, columns) in zip(copies, self._squares(pixels.shape[-1]), strict=True):
            copy[:, rows, columns] = mean
        return copies

    def heat(self, v: FloatArray, covered_v: FloatArray, weights: FloatArray, size: int) -> DoubleArray:
        """(S, S) what v·weights loses around each pixel, interpolated between the middles of the patches.

        The loss of a patch counts as much as covering it moves v at all: a score that falls where v hardly moves is
        chance. Linear in the weights, so that the map of a difference is the difference of the maps.

        Args:
            v: (A,) of the photo.
            covered_v: (M, A) of the copies of `covered`.
            weights: (A,) a class vector, the difference of two, or 1 at one attribute.
            size: S.
        """
        away = np.asarray(v, dtype=np.float64) - covered_v  # (M, A)
        lost = away @ np.asarray(weights, dtype=np.float64) * np.linalg.norm(away, axis=1)  # (M,)
        total, times = np.zeros((size, size)), np.zeros((size, size))
        for loss, (rows, columns) in zip(lost, self._squares(size), strict=True):
            near = _tent(rows.stop - rows.start)
            total[rows, columns] += loss * near
            times[rows, columns] += near
        return total / np.maximum(times, 1e-9)


def _tent(side: int) -> DoubleArray:
    """(side, side) how near each pixel of a patch is to its middle: 1 there, falling to nearly 0 at the edges."""
    near = 1 - np.abs(np.arange(side) - (side - 1) / 2) / (side / 2 + 0.5)
    return np.asarray(near[:, None] * near[None])


def overlay(photo: Image.Image, heat: DoubleArray) -> Image.Image:
    """The photo in grey, yellow to red where covering costs score, and left as it is where it costs none.

    Args:
        photo: an RGB picture of any size; `heat` (S, S) is brought to it.
    """
    smooth = Image.fromarray(np.maximum(heat, 0).astype(np.float32)).resize(photo.size, Image.Resampling.BICUBIC)
    values = np.clip(np.asarray(smooth, dtype=np.float64), 0, None)
    share = (values / values.max() if values.max() > 0 else values)[..., None]  # (H, W, 1)
    colour = np.concatenate([np.full_like(share, 255), 220 * (1 - share), np.zeros_like(share)], axis=2)
    opacity = _STRONGEST * np.clip((share - 0.2) / 0.8, 0, 1)
    grey = photo.convert("L").convert("RGB")  # on a yellow bird yellow would not be seen
    mixed = np.asarray(grey, dtype=np.float64) * (1 - opacity) + colour * opacity
    return Image.fromarray(mixed.round().astype(np.uint8))
