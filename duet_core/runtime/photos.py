"""From the bytes of an untrusted photo to pixels: the header decides before anything is decoded."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from duet_core.runtime.preprocess import FORMATS, PhotoError

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


def photo_pixels(
    data: bytes, *, prepare: Callable[[Image.Image], NDArray[np.float32]], limits: PhotoLimits, side: int
) -> NDArray[np.float32]:
    """Pixels (3, S, S) of an encoded photo as the model reads them: the one way of the service and of bulk work.

    Args:
        data, limits, side: as for `read_photo`.
        prepare: a bundle's preprocessing, such as `Encoder.prepare`.

    Raises:
        PhotoRefused: as `read_photo`, or a photo that cannot be prepared.
    """
    image = read_photo(data, limits=limits, side=side)
    try:
        return prepare(image)
    except PhotoError as error:
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
