"""A PNG taken apart: its size, frames, Exif and colour profile, and the file with nothing else than its picture.

Texts, of which Pillow unpacks up to 64 MiB, are never unpacked.
"""

from __future__ import annotations

import struct
import zlib

from duet_core.runtime.photo_parts import MAX_PIECES, MAX_PROFILE, PhotoParts, broken
from duet_core.runtime.photo_parts import too_many_pieces as too_many

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_KEPT = (b"PLTE", b"tRNS", b"IDAT", b"IEND")
_GREY, _COLOUR = 0, 2
_ONE_BYTE = (_GREY, 3)  # colour types that Pillow keeps in one byte a pixel, unless they are 16-bit


def png_parts(data: bytes) -> PhotoParts:
    """Take a PNG apart. Raises PhotoError for one without a header, or in too many pieces."""
    if data[8:16] != b"\0\0\0\x0dIHDR" or len(data) < 33:
        raise broken("PNG", "without its header")
    width, height, depth, colours = struct.unpack(">IIBB", data[16:26])
    kept, at = [data[:33]], 33  # signature and header: a second header must not overrule the first
    frames, exif, profile = 1, b"", b""
    for _ in range(MAX_PIECES["PNG"]):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if kind in _KEPT or end > len(data):  # one that is cut short stays, so that the decoder says so
            kept.append(data[at:end])
        elif kind == b"acTL":
            frames = max(frames, int.from_bytes(data[at + 8 : min(at + 12, end - 4)], "big"))
        elif kind == b"eXIf":
            exif = exif or data[at + 8 : end - 4]
        elif kind == b"iCCP":
            profile = profile or _unpacked(data[at + 8 : end - 4])
        at = end
        if kind == b"IEND" or at >= len(data):
            break
    else:
        raise too_many("PNG")
    channels = (2 if depth == 16 and colours == _GREY else 1) if colours in _ONE_BYTE else 4
    return PhotoParts(
        kind="PNG",
        width=width,
        height=height,
        data=b"".join(kept),
        channels=channels,
        frames=frames,
        exif=exif,
        profile=profile,
    )


def _unpacked(chunk: bytes) -> bytes:
    """The colour profile of an iCCP chunk (name, 0, method, zlib stream); b"" for one that is broken or too large."""
    _, _, rest = chunk.partition(b"\0")
    stream = zlib.decompressobj()
    try:
        profile = stream.decompress(rest[1:], MAX_PROFILE + 1)
    except zlib.error:
        return b""
    return profile if rest[:1] == b"\0" and stream.eof and len(profile) <= MAX_PROFILE else b""
