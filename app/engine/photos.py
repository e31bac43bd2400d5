"""From the bytes of an untrusted photo to pixels: the header decides before anything is decoded."""

from __future__ import annotations

import asyncio
import io
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from app.metrics import Metrics
from duet_core.runtime import PhotoError
from duet_core.runtime.preprocess import FORMATS

warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

Reason = Literal["unsupported-media-type", "image-too-large", "broken-image"]


class PhotoRefused(Exception):
    """A photo that is not decoded. `got` and `allowed` say why."""

    def __init__(self, reason: Reason, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.members = members


@dataclass(frozen=True, kw_only=True)
class PhotoLimits:
    """What is looked up in a photo's header: pixels in all, pixels of the longest side, longest over shortest side."""

    pixels: int
    side: int
    aspect: float


def read_photo(data: bytes, *, limits: PhotoLimits, side: int) -> Image.Image:
    """Decode a JPEG, PNG or WebP photo, large ones already scaled down to about twice `side` or more.

    Args:
        data: the encoded file.
        side: pixels of the short side that preprocessing will scale to.

    Raises:
        PhotoRefused: another format, animated, too large, or broken.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise PhotoRefused(
            "unsupported-media-type",
            "The bytes are not a JPEG, PNG or WebP image.",
            got=f"{len(data)} bytes beginning with {data[:8].hex(' ')}",
            allowed=list(FORMATS),
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoRefused("image-too-large", str(error), allowed=f"{limits.pixels} pixels") from None
    except Exception as error:  # whatever a decoder raises on hostile bytes, the bytes are at fault
        raise _broken(error) from error
    with image:
        _check_header(image, limits)
        try:
            return _decoded(image, side)
        except Exception as error:  # as above
            raise _broken(error) from error


def _broken(error: Exception) -> PhotoRefused:
    return PhotoRefused("broken-image", f"The image cannot be decoded: {type(error).__name__}: {error}")


def _check_header(image: Image.Image, limits: PhotoLimits) -> None:
    width, height = image.size
    got = f"{width} x {height} pixels"
    if min(width, height) < 1:
        raise PhotoRefused("broken-image", "The image has no pixels.", got=got)
    if width * height > limits.pixels:
        raise PhotoRefused(
            "image-too-large",
            f"The photo has {width * height} pixels, at most {limits.pixels} are decoded.",
            got=got,
            allowed=f"{limits.pixels} pixels",
        )
    if max(width, height) > limits.side:
        raise PhotoRefused(
            "image-too-large", f"A side has more than {limits.side} pixels.", got=got, allowed=f"{limits.side} a side"
        )
    if max(width, height) > limits.aspect * min(width, height):
        raise PhotoRefused(
            "broken-image",
            f"The long side is more than {limits.aspect:g} times the short one.",
            got=got,
            allowed=f"at most {limits.aspect:g} to 1",
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format in ("PNG", "WEBP"):  # a JPEG's further frames are previews that phones add
        raise PhotoRefused(
            "unsupported-media-type", "The image is animated.", got=f"{frames} frames", allowed="1 frame"
        )


def _decoded(image: Image.Image, side: int) -> Image.Image:
    """Load; large photos come out scaled to about twice what preprocessing will scale them to (short side `side`).

    A JPEG does so while decoding; others are averaged to exactly twice the later size, so that rounding is the same.
    Scaling in these two steps changes pixels by less than 1 of 255 levels on average.
    """
    image.draft(None, (2 * side, 2 * side))  # only JPEG can, others ignore it
    image.load()
    short = min(image.size)
    if short >= 4 * side and image.mode in ("RGB", "RGBA", "L") and "transparency" not in image.info:
        width, height = (2 * round(length * side / short) for length in image.size)
        return image.resize((width, height), Image.Resampling.BOX)
    return image


class PhotoReader:
    """A small pool of threads that decode and prepare; it bounds the memory decoding takes."""

    def __init__(
        self,
        *,
        prepare: Callable[[Image.Image], NDArray[np.float32]],
        limits: PhotoLimits,
        side: int,
        workers: int,
        metrics: Metrics,
    ) -> None:
        self._prepare = prepare
        self._limits = limits
        self._side = side
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="decode")

    async def pixels(self, data: bytes) -> NDArray[np.float32]:
        """Pixels (3, S, S) of a photo as the model reads them. Raises PhotoRefused."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._pixels, data)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _pixels(self, data: bytes) -> NDArray[np.float32]:
        start = time.perf_counter()
        image = read_photo(data, limits=self._limits, side=self._side)
        try:
            pixels = self._prepare(image)  # (3, S, S)
        except PhotoError as error:
            raise _broken(error) from error
        self._metrics.stage_seconds.labels("decode").observe(time.perf_counter() - start)
        return pixels
