"""Colour profiles: photos in a wide gamut (Display P3, Adobe RGB) and in printing inks become sRGB.

Little CMS is given a profile built anew from the few tags that are needed, each of a type and size that is checked:
less of a stranger's bytes to parse, and no stage of a profile that could cost more than a table look-up a pixel.
"""

from __future__ import annotations

import io
import struct
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from duet_core.runtime.photo_parts import MAX_PROFILE

_SPACES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}
_NEEDED = {
    b"RGB ": (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"),
    b"GRAY": (b"kTRC",),
    b"CMYK": (b"A2B0",),
}
_OPTIONAL = (b"wtpt", b"chad")
_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")
_TYPES = {
    b"XYZ ": 20,
    b"curv": 12 + 2 * 4096,
    b"para": 12 + 4 * 7,
    b"sf32": 8 + 4 * 9,
    b"mft1": MAX_PROFILE,
    b"mft2": MAX_PROFILE,
}
"""Types of tags that are passed on -> most bytes."""
_MOST_TAGS = 100
_SAME = 2
"""Levels by which a profile may differ from sRGB and still be taken for it; its tables come rounded in many ways."""


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """An RGB image of one in mode RGB, L or CMYK; in sRGB where the profile is understood, else as if there were none.

    A profile that is (nearly) sRGB changes nothing, not even by rounding. Broken profiles, those of more than
    `MAX_PROFILE` bytes, of another colour space than the image, and RGB profiles without a matrix are ignored.
    """
    transform = _transform(rebuilt(profile, _SPACES[image.mode]), image.mode) if profile else None
    if transform is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    return transform.apply(image)


def rebuilt(profile: bytes, space: bytes) -> bytes:
    """The profile with nothing but what converting from `space` needs; b"" when that cannot be had from it."""
    if not 132 <= len(profile) <= MAX_PROFILE or profile[36:40] != b"acsp":
        return b""
    if profile[16:20] != space or profile[12:16] not in _CLASSES or not 2 <= profile[8] <= 4:
        return b""
    found: dict[bytes, bytes] = {}
    count = min(int.from_bytes(profile[128:132], "big"), _MOST_TAGS)
    for at in range(132, min(132 + 12 * count, len(profile) - 11), 12):
        name, offset, size = struct.unpack_from(">4sII", profile, at)
        tag = profile[offset : offset + size]
        if name in (*_NEEDED[space], *_OPTIONAL) and 8 < len(tag) <= _TYPES.get(tag[:4], 0):
            found.setdefault(name, tag)
    if not all(name in found for name in _NEEDED[space]):
        return b""
    table, body = [], b""
    for name, tag in found.items():
        table.append(struct.pack(">4sII", name, 132 + 12 * len(found) + len(body), len(tag)))
        body += tag + bytes(-len(tag) % 4)
    rest = struct.pack(">I", len(table)) + b"".join(table) + body
    return struct.pack(">I", 128 + len(rest)) + profile[4:128] + rest


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What converts images of this mode and profile to sRGB; None when there is nothing to do, or it cannot be done."""
    if not profile:
        return None
    try:
        transform = ImageCms.buildTransform(
            io.BytesIO(profile), ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.PERCEPTUAL
        )
        assert isinstance(transform, ImageCms.ImageCmsTransform)
        probe = _probe(mode)
        changed = np.asarray(transform.apply(probe)).astype(int) - np.asarray(probe.convert("RGB"))
    except Exception:  # whatever Little CMS says of a stranger's profile, the photo can be read without it
        return None
    return transform if mode == "CMYK" or np.abs(changed).max() > _SAME else None


def _probe(mode: str) -> Image.Image:
    """Colours from all over the space, to see what a profile does with them."""
    if mode == "CMYK":
        return Image.new("CMYK", (1, 1))
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    levels = np.linspace(0, 255, 18).astype(np.uint8)
    red, green, blue = np.meshgrid(levels, levels, levels, indexing="ij")
    return Image.fromarray(np.stack([red, green, blue], axis=-1).reshape(18, -1, 3))
