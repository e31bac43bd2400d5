"""Photos with broken, huge or deceitful Exif blocks, colour profiles and texts; nearly all of them are photos still."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from tests.app.engine.photo_bytes import (
    app_exif,
    app_profile,
    chunk,
    cmyk_profile,
    encoded,
    exif,
    gamma,
    icc,
    iccp,
    jpeg,
    picture,
    png,
    rgb_profile,
    riff,
    segment,
    vp8x,
    webp_chunks,
    xyz,
)

PIXELS = "pixels"
Case = tuple[str, bytes, str]


def exif_blocks() -> Iterator[Case]:
    """Exif blocks that are broken or lie."""
    entries = b"".join(struct.pack("<HHII", 1000 + i, 7, 60_000, 8) for i in range(2700))
    large = b"II*\0\x08\0\0\0" + struct.pack("<H", 2700) + entries
    blocks = {
        "empty": b"",
        "of one byte": b"I",
        "without entries": exif(entries=0),
        "orientation 0": exif(0),
        "orientation 9": exif(9),
        "orientation 65535": exif(65_535),
        "orientation as text": exif(kind=2),
        "orientation of an unknown type": exif(kind=99),
        "orientation as a byte": exif(kind=1),
        "orientation as a long": exif(kind=4),
        "big-endian": exif(order=">"),
        "said to have 65535 entries": exif(entries=65_535),
        "directory at itself": exif(first=0),
        "directory beyond the end": exif(first=2**32 - 1),
        "of BigTIFF": b"II+\0\x08\0\0\0" + bytes(40),
        "that says Exif twice": b"Exif\0\0" + exif(6),
        "of noise": bytes(range(7, 256)) * 20,
        "whose entries all point to one place": large.ljust(65_000, b"x"),
    }
    photo = webp_chunks(encoded(picture(), "WEBP"))
    for name, block in blocks.items():
        yield f"Exif: {name}, in a JPEG", jpeg(app_exif(block)), PIXELS
        if len(block) < 6_000:
            yield f"Exif: {name}, in a PNG", png(chunk(b"eXIf", block)), PIXELS
            yield f"Exif: {name}, in a WebP", riff(vp8x(48, 36, 0x08), *photo, (b"EXIF", block)), PIXELS
    yield "Exif: three blocks", jpeg(app_exif(exif(6)) * 3), PIXELS


def colour_profiles() -> Iterator[Case]:
    """Colour profiles that are broken, huge or of another colour space."""
    good = rgb_profile("adobe-rgb")
    nothing = xyz(0, 0, 0)
    blank = dict.fromkeys((b"rXYZ", b"gXYZ", b"bXYZ"), nothing) | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(0))
    overlap = icc({name: gamma(2.2) for name in (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")})
    parametric = b"para\0\0\0\0\0\4\0\0" + struct.pack(">7i", *[-(2**31)] * 7)
    inks = [(100 - 6 * i, 10, -10) for i in range(16)]
    profiles = {
        "empty": b"",
        "of noise": bytes(range(256)) * 10,
        "cut short": good[:200],
        "cut in its header": good[:100],
        "header alone": good[:128],
        "of 2^32 - 1 tags": good[:128] + b"\xff" * 4 + good[132:],
        "with tags beyond its end": good[:136] + b"\xff" * 8 + good[144:],
        "of version 9": good[:8] + b"\x09" + good[9:],
        "of zeros": icc(blank),
        "with curves for colours": overlap,
        "without a matrix": icc({b"A2B0": b"mft2" + bytes(60)}),
        "of parametric curves without bounds": rgb_profile("adobe-rgb", parametric),
        "of a curve with 2^32 - 1 values": rgb_profile("adobe-rgb", b"curv\0\0\0\0\xff\xff\xff\xff" + bytes(40)),
        "for grey": icc({b"kTRC": gamma(2.2)}, space=b"GRAY"),
        "for inks": cmyk_profile(inks),
        "for a named colour": icc({}, kind=b"nmcl"),
        "of three megabytes": good + bytes(3 * 2**20),
    }
    for name, profile in profiles.items():
        yield f"profile: {name}, in a JPEG", jpeg(app_profile(profile)), PIXELS
        yield f"profile: {name}, in a PNG", png(iccp(profile)), PIXELS
    yield "profile: a part missing", jpeg(app_profile(good * 300, numbers=(1, 3, 4, 5))), PIXELS
    yield "profile: parts numbered alike", jpeg(app_profile(good * 300, numbers=(1, 1, 1, 1))), PIXELS
    yield "profile: that unpacks to 100 megabytes", png(chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(10**8)))), PIXELS
    yield "profile: that is no zlib stream", png(chunk(b"iCCP", b"x\0\0photo")), PIXELS
    yield "profile: of an unknown method", png(chunk(b"iCCP", b"x\0\7" + zlib.compress(good))), PIXELS
    for grid in (0, 1, 255):
        yield (
            f"profile: inks in a grid of {grid}",
            jpeg(app_profile(cmyk_profile(inks, grid=grid)), image=picture(mode="CMYK")),
            PIXELS,
        )


def texts() -> Iterator[Case]:
    """Comments and texts that are huge, or unpack to what is."""
    packed = zlib.compress(bytes(2**20))
    yield "text: 60 that unpack to a megabyte each", png(chunk(b"zTXt", b"a\0\0" + packed) * 60), PIXELS
    yield "text: one that unpacks to 100 megabytes", png(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8)))), PIXELS
    yield "text: in UTF-8, packed", png(chunk(b"iTXt", b"a\0\1\0\0\0" + packed)), PIXELS
    yield "text: broken UTF-8", png(chunk(b"iTXt", b"a\0\0\0\xff\0\xff\0\xff")), PIXELS
    yield "text: without a keyword", png(chunk(b"tEXt", b"\0")), PIXELS
    yield "text: of an unknown packing", png(chunk(b"zTXt", b"a\0\7photo")), PIXELS
    yield "text: five megabytes", png(chunk(b"tEXt", b"a\0" + b"b" * 5_000_000)), PIXELS
    yield "text: after the picture", png(after=chunk(b"zTXt", b"a\0\0" + packed) * 60), PIXELS
    yield "text: 150 comments of 64 KiB", jpeg(segment(0xFE, bytes(65_000)) * 150), PIXELS
    yield "text: Photoshop resources of noise", jpeg(segment(0xED, b"Photoshop 3.0\x008BIM" + b"\xff" * 300)), PIXELS
    yield (
        "text: XMP with entities",
        jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<!DOCTYPE x [<!ENTITY a 'b'>]>")),
        PIXELS,
    )
