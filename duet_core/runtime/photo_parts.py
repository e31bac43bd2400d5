"""What a photo file says of itself, read without decoding it, and the limits that are held against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

FORMATS = ("JPEG", "PNG", "WEBP")
"""The only decoders ever tried: Pillow's other formats are where its security holes have been."""

FORMATS_IN_WORDS = "JPEG, PNG or WebP"
"""`FORMATS` as messages name them."""

MAX_PIXELS = 89_000_000
"""Largest photo that is decoded at all (Pillow warns above about 89 million); a service sets its own, lower limit."""

MAX_ASPECT = 50
"""Longest side over shortest: beyond it the resized strip would need more memory than the photo itself."""

MAX_SCANS = 64
"""Passes over a JPEG. Encoders make up to about 20; a file of a few kilobytes can ask for thousands, each over all."""

MAX_PIECES = {"JPEG": 1_000, "PNG": 20_000, "WEBP": 1_000}
"""Segments or chunks of a file: each costs time in Python, and 10 MiB can hold millions of empty ones."""

MAX_PROFILE = 2 * 2**20
"""Bytes of a colour profile; those of cameras have some hundred, those of printing presses up to about a million."""

Reason = Literal["unsupported-media-type", "image-too-large", "broken-image"]


class PhotoError(ValueError):
    """A photo that cannot be read or prepared; the message says what was got and what is allowed.

    Attributes:
        reason: sort of the error.
        members: more about it, by name: `got`, `allowed`.
    """

    def __init__(self, message: str, reason: Reason = "broken-image", **members: Any) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.members = members


@dataclass(frozen=True, kw_only=True)
class PhotoLimits:
    """What is looked up in a photo's header.

    Attributes:
        pixels: of the photo in all.
        side: pixels of the longest side.
        aspect: longest over shortest side.
        memory: bytes that decoding may need, as `duet_core.runtime.decoding.memory_needed` counts them; None: any.
    """

    pixels: int = MAX_PIXELS
    side: int = 65_535
    aspect: float = MAX_ASPECT
    memory: int | None = None


@dataclass(frozen=True, kw_only=True)
class PhotoParts:
    """A photo file taken apart.

    Attributes:
        kind: one of `FORMATS`.
        width, height: in pixels, as the header has them: before the photo is turned upright.
        data: the file, of JPEG and PNG without all that makes no pixels: comments, previews, metadata.
        channels: bytes a pixel takes when it is decoded.
        frames: pictures of an animation; 1 for a photo.
        scans: passes over the pixels.
        buffered: whether all coefficients of a JPEG are kept until its last scan.
        exif: the Exif block, b"" for none.
        profile: the ICC colour profile, b"" for none or one of more than `MAX_PROFILE` bytes.
    """

    kind: str
    width: int
    height: int
    data: bytes
    channels: int
    frames: int = 1
    scans: int = 1
    buffered: bool = False
    exif: bytes = b""
    profile: bytes = b""


def broken(kind: str, what: str) -> PhotoError:
    """The error for a file of this kind that breaks its format's rules."""
    return PhotoError(f"The image cannot be decoded: a {kind} {what}.", got=what)


def too_many_pieces(kind: str) -> PhotoError:
    """The error for a file in more pieces than any encoder makes."""
    return PhotoError(
        f"The image cannot be decoded: a {kind} in more than {MAX_PIECES[kind]} pieces.",
        got=f"more than {MAX_PIECES[kind]} segments or chunks",
        allowed=MAX_PIECES[kind],
    )


def check_header(parts: PhotoParts, limits: PhotoLimits) -> None:
    """Hold size, shape, frames and scans against the limits. Raises PhotoError: what was got, what is allowed."""
    width, height = parts.width, parts.height
    got = f"{width} x {height} pixels"
    if min(width, height) < 1:
        raise PhotoError("The image has no pixels.", got=got)
    if width * height > limits.pixels:
        raise PhotoError(
            f"The photo has {width * height} pixels, at most {limits.pixels} are decoded.",
            "image-too-large",
            got=got,
            allowed=f"{limits.pixels} pixels",
        )
    if max(width, height) > limits.side:
        allowed = f"{limits.side} a side"
        raise PhotoError(f"A side has more than {limits.side} pixels.", "image-too-large", got=got, allowed=allowed)
    if max(width, height) > limits.aspect * min(width, height):
        raise PhotoError(
            f"The long side is more than {limits.aspect:g} times the short one.",
            got=got,
            allowed=f"at most {limits.aspect:g} to 1",
        )
    if parts.frames > 1:
        frames = f"{parts.frames} frames"
        raise PhotoError("The image is animated.", "unsupported-media-type", got=frames, allowed="1 frame")
    if parts.scans > MAX_SCANS:
        scans = f"more than {MAX_SCANS} scans"
        raise PhotoError(
            f"The image cannot be decoded: a JPEG in {scans}, passes over its pixels.",
            got=scans,
            allowed=MAX_SCANS,
        )
