"""From the bytes of an untrusted photo to pixels: the header decides before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from PIL import Image

from duet_core.runtime.decoding import check, decode, memory_needed, take_apart
from duet_core.runtime.photo_parts import PhotoError, Reason
from duet_core.runtime.photo_parts import PhotoLimits as PhotoLimits  # for those who read photos

Prepared = TypeVar("Prepared")


class PhotoRefused(Exception):
    """A photo that is not decoded. `got` and `allowed` say why."""

    def __init__(self, reason: Reason, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.members = members


def read_photo(data: bytes, *, limits: PhotoLimits, side: int) -> Image.Image:
    """Decode a JPEG, PNG or WebP photo, upright and in sRGB, large ones already scaled down to about twice `side`.

    Args:
        data: the encoded file.
        limits: what its header is held against.
        side: pixels of the short side that preprocessing will scale to.

    Raises:
        PhotoRefused: another format, animated, too large, or broken.
    """
    try:
        return decode(take_apart(data), limits=limits, side=side)
    except PhotoError as error:
        raise _refused(error) from error


def photo_pixels(
    data: bytes,
    *,
    prepare: Callable[[Image.Image], Prepared],
    limits: PhotoLimits,
    side: int,
    room: Callable[[int], AbstractContextManager[None]] | None = None,
) -> Prepared:
    """An encoded photo as the model reads it: the one way of the service and of bulk work.

    Args:
        data, limits, side: as for `read_photo`.
        prepare: a bundle's preprocessing, such as `Encoder.look`.
        room: waits until so many bytes may be taken, and holds them while the photo is decoded.

    Raises:
        PhotoRefused: as `read_photo`, or a photo that cannot be prepared.
    """
    try:
        parts = take_apart(data)
        check(parts, limits, side)
        with room(memory_needed(parts, side)) if room else nullcontext():
            return prepare(decode(parts, limits=limits, side=side))
    except PhotoError as error:
        raise _refused(error) from error


def _refused(error: PhotoError) -> PhotoRefused:
    return PhotoRefused(error.reason, str(error), **error.members)
