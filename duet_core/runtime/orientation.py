"""How a camera was held, from the Exif block of a photo.

Read by hand, for it is one number: Pillow copies what every entry points to, and warns of each that is broken.
"""

from __future__ import annotations

import struct

from PIL import Image

_TAG = 0x0112
_VALUES = {1: "B", 3: "H", 4: "I"}  # types of Exif that a number may have: byte, short, long
_MOST_ENTRIES = 1_000
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(exif: bytes) -> int:
    """The orientation, 1…8; 1 (upright) when the block has none, or is broken."""
    exif = exif.removeprefix(b"Exif\0\0").removeprefix(b"Exif\0\0")  # some programs write it twice
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, first)
        for entry in range(min(entries, _MOST_ENTRIES)):
            at = first + 2 + 12 * entry
            tag, kind = struct.unpack_from(f"{order}HH", exif, at)
            if tag == _TAG and kind in _VALUES:
                (value,) = struct.unpack_from(order + _VALUES[kind], exif, at + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:  # the block ends before what it announces
        pass
    return 1


def upright(image: Image.Image, value: int) -> Image.Image:
    """The image as it is to be looked at; itself when it is upright already."""
    return image.transpose(_TURNS[value]) if value in _TURNS else image
