"""A WebP file taken apart: its size, frames, Exif and colour profile; libwebp is given the whole file."""

from __future__ import annotations

from duet_core.runtime.photo_parts import MAX_PIECES, MAX_PROFILE, PhotoParts, broken
from duet_core.runtime.photo_parts import too_many_pieces as too_many

_CANVAS_BYTES = 16
"""Bytes a pixel: two canvases that libwebp keeps, the copy it hands out, and the picture, four bytes each."""


def is_webp(data: bytes) -> bool:
    """Whether the file begins as a WebP does."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def webp_parts(data: bytes) -> PhotoParts:
    """Take a WebP file apart. Raises PhotoError for one whose first chunk is no picture, or in too many pieces."""
    width, height = _size(data)
    pictures, exif, profile = 0, b"", b""
    at = 12
    for _ in range(MAX_PIECES["WEBP"]):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind == b"ANMF":
            pictures += 1
        elif kind == b"EXIF":
            exif = exif or data[at + 8 : at + 8 + length]
        elif kind == b"ICCP" and length <= MAX_PROFILE:
            profile = profile or data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
        if at + 8 > len(data):
            break
    else:
        raise too_many("WEBP")
    return PhotoParts(
        kind="WEBP",
        width=width,
        height=height,
        data=data,
        channels=_CANVAS_BYTES,
        frames=max(pictures, 1),
        exif=exif,
        profile=profile,
    )


def _size(data: bytes) -> tuple[int, int]:
    """Width and height, from the first chunk."""
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L" and len(data) >= 25 and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(data) >= 30 and data[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    raise broken("WEBP", "without its header")
