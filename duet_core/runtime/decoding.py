"""From the bytes of a photo to upright sRGB pixels: the one way, in training and in service."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

from duet_core.runtime.colour import to_srgb
from duet_core.runtime.jpeg_parts import SIGNATURE as JPEG_SIGNATURE
from duet_core.runtime.jpeg_parts import jpeg_parts
from duet_core.runtime.orientation import orientation, upright
from duet_core.runtime.photo_parts import FORMATS, FORMATS_IN_WORDS, PhotoError, PhotoLimits, PhotoParts, check_header
from duet_core.runtime.png_parts import SIGNATURE as PNG_SIGNATURE
from duet_core.runtime.png_parts import png_parts
from duet_core.runtime.webp_parts import is_webp, webp_parts

_EIGHT_BIT = {"1", "L", "RGB", "CMYK", "YCbCr", "HSV"}
_SIXTEEN_BIT = {"I", "I;16", "I;16L", "I;16B", "I;16N"}
_BAND = 256
"""Rows converted at once, where a photo's mode asks for a conversion: its copies stay small."""


def take_apart(data: bytes) -> PhotoParts:
    """What the file says of itself; nothing is decoded.

    Raises:
        PhotoError: not one of `FORMATS`, or a header that breaks its format's rules.
    """
    if data.startswith(JPEG_SIGNATURE):
        return jpeg_parts(data)
    if data.startswith(PNG_SIGNATURE):
        return png_parts(data)
    if is_webp(data):
        return webp_parts(data)
    raise PhotoError(
        f"The bytes are not a {FORMATS_IN_WORDS} image.",
        "unsupported-media-type",
        got=f"{len(data)} bytes beginning with {data[:8].hex(' ')}",
        allowed=list(FORMATS),
    )


def memory_needed(parts: PhotoParts, side: int | None) -> int:
    """Bytes that `decode` takes at most, besides the file and about 10 MB that do not depend on the photo.

    Args:
        parts: the photo.
        side: as for `decode`.
    """
    pixels = parts.width * parts.height
    kept_width, kept_height = _kept_size(parts.width, parts.height, side)
    if parts.kind == "JPEG":
        scale = _jpeg_scale(parts, side)
        kept_width, kept_height = math.ceil(parts.width / scale), math.ceil(parts.height / scale)
        decoded = kept_width * kept_height * parts.channels
        coefficients = 2 * pixels * (1 if parts.channels == 1 else 4) if parts.buffered else 0
    else:
        decoded, coefficients = pixels * parts.channels, 0
    between = 4 * kept_width * parts.height if (kept_width, kept_height) != (parts.width, parts.height) else 0
    return decoded + coefficients + between + 12 * kept_width * kept_height


def check(parts: PhotoParts, limits: PhotoLimits, side: int | None) -> None:
    """Hold a photo against the limits before it is decoded. Raises PhotoError: what was got, what is allowed."""
    check_header(parts, limits)
    need = memory_needed(parts, side)
    if limits.memory is not None and need > limits.memory:
        raise PhotoError(
            f"Decoding this {parts.kind} would take {need >> 20} MiB of memory, it may take {limits.memory >> 20}.",
            "image-too-large",
            got=f"{parts.width} x {parts.height} pixels",
            allowed=f"about {parts.width * parts.height * limits.memory // need} pixels of this kind",
        )


def decode(parts: PhotoParts, *, limits: PhotoLimits, side: int | None = None) -> Image.Image:
    """The photo upright and in sRGB (mode RGB), large ones scaled down to about twice `side` or more.

    A JPEG is scaled while it is decoded; what is still four times as large or more is averaged to exactly twice the
    later size, so that rounding is the same. These two steps change prepared pixels by less than 1 of 255 levels on
    average. Colours are converted after that, transparency is laid over white.

    Args:
        parts: the photo, see `take_apart`.
        limits: what its header is held against, before anything is decoded.
        side: pixels of the short side that the photo will be scaled to; None keeps it as large as it is.

    Raises:
        PhotoError: over a limit, animated, broken or cut short.
    """
    check(parts, limits, side)
    try:
        with Image.open(io.BytesIO(parts.data), formats=[parts.kind]) as image:
            if image.size != (parts.width, parts.height) or getattr(image, "n_frames", 1) > 1:
                raise PhotoError("The image cannot be decoded: its parts contradict each other.")
            rgb = _loaded(image, parts.profile, side)
    except PhotoError:
        raise
    except Exception as error:  # whatever a decoder raises on hostile bytes, the bytes are at fault
        raise PhotoError(f"The image cannot be decoded, it is broken or cut short: {error}") from error
    rgb.info = {}
    return upright(rgb, orientation(parts.exif))


def flattened(image: Image.Image) -> Image.Image:
    """An image of any mode in RGB, L or CMYK: transparency laid over white, 16-bit grey reduced to its upper 8 bits.

    Raises PhotoError for modes without an agreed meaning, such as floating point.
    """
    if image.mode in _SIXTEEN_BIT:
        values = np.asarray(image)
        return Image.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    if image.mode not in _EIGHT_BIT | {"P"}:
        raise PhotoError(f"colour mode {image.mode!r}; save the photo as an ordinary RGB JPEG or PNG")
    if image.mode in ("RGB", "L", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _loaded(image: Image.Image, profile: bytes, side: int | None) -> Image.Image:
    if side is not None:
        image.draft(None, (2 * side, 2 * side))  # only JPEG can, others ignore it
    image.load()
    size = _kept_size(*image.size, side)
    plain = flattened(image.crop((0, 0, 1, 1))).mode
    if image.mode == plain and not image.has_transparency_data:
        small = image if size == image.size else image.resize(size, Image.Resampling.BOX)
    else:
        small = _in_bands(image, plain, size)
    return to_srgb(small, profile)


def _in_bands(image: Image.Image, mode: str, size: tuple[int, int]) -> Image.Image:
    """The image flattened to this mode and averaged to this size.

    A band of rows at a time is converted and made narrow, then all of it low: the two passes that Pillow makes too, so
    that the result is the same as without bands.
    """
    narrow = Image.new(mode, (size[0], image.height))
    for top in range(0, image.height, _BAND):
        band = flattened(image.crop((0, top, image.width, min(top + _BAND, image.height))))
        narrow.paste(band.resize((size[0], band.height), Image.Resampling.BOX), (0, top))
    return narrow.resize(size, Image.Resampling.BOX)


def _kept_size(width: int, height: int, side: int | None) -> tuple[int, int]:
    """The size to which a decoded photo is averaged at once: twice the later one, for those at least four times it."""
    short = min(width, height)
    if side is None or short < 4 * side:
        return width, height
    kept_width, kept_height = (2 * round(length * side / short) for length in (width, height))
    return kept_width, kept_height


def _jpeg_scale(parts: PhotoParts, side: int | None) -> int:
    """By how much a JPEG is scaled down while it is decoded."""
    if side is None:
        return 1
    return next((scale for scale in (8, 4, 2) if min(parts.width, parts.height) // (2 * side) >= scale), 1)
