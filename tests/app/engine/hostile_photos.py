"""Files that a stranger may send for a photo, by name, and what has to come of each.

A name is `group: what`. An outcome is PIXELS, one of the reasons of a refusal, REFUSED for one or another of
them, or EITHER, where it is for the decoder to say whether there is still a picture in the file.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from tests.app.engine.hostile_metadata import colour_profiles, exif_blocks, texts
from tests.app.engine.hostile_structures import jpeg_structures, png_structures, webp_structures
from tests.app.engine.photo_bytes import chunk, encoded, jpeg, picture, png, riff, segment, vp8x, webp_chunks

PIXELS, EITHER, REFUSED = "pixels", "either", "refused"
UNSUPPORTED, TOO_LARGE, BROKEN = "unsupported-media-type", "image-too-large", "broken-image"

Case = tuple[str, bytes, str]
"""Name, file, outcome."""


def cut_short() -> Iterator[Case]:
    """Files that end too early."""
    whole = {
        "jpeg": encoded(picture(), "JPEG"),
        "progressive": encoded(picture(), "JPEG", progressive=True),
        "png": encoded(picture(), "PNG"),
        "webp": encoded(picture(), "WEBP"),
        "lossless webp": encoded(picture(), "WEBP", lossless=True),
    }
    for kind, data in whole.items():
        for length in (4, 12, 20, 30):
            yield f"cut: {kind} after {length} bytes", data[:length], REFUSED
        for share in (0.3, 0.6):
            yield f"cut: {kind} after {share:.0%}", data[: int(share * len(data))], REFUSED
        yield f"cut: {kind} by one byte", data[:-1], EITHER


def nothing() -> Iterator[Case]:
    """Files without a picture in them."""
    for name, byte in (("zeros", b"\0"), ("FF", b"\xff"), ("spaces", b" ")):
        yield f"nothing: {name}", byte * 4096, UNSUPPORTED
    yield "nothing: one byte", b"\x89", UNSUPPORTED
    yield "nothing: JPEG signature", b"\xff\xd8\xff", BROKEN
    yield "nothing: JPEG signature and end", b"\xff\xd8\xff\xd9", BROKEN
    yield "nothing: PNG signature", b"\x89PNG\r\n\x1a\n", BROKEN
    yield "nothing: WebP signature", b"RIFF\x04\0\0\0WEBP", BROKEN
    yield "nothing: JPEG signature and zeros", b"\xff\xd8\xff" + bytes(5000), BROKEN


def other_types() -> Iterator[Case]:
    """Files of other types, whatever their name says."""
    for kind in ("GIF", "BMP", "TIFF", "ICO", "PPM", "TGA", "PCX", "PDF", "DDS", "SGI", "ICNS", "JPEG2000", "AVIF"):
        yield f"type: {kind}", encoded(picture(32, 32), kind), UNSUPPORTED
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("photo.jpg", encoded(picture(), "JPEG"))
    heads = {
        "ZIP with a photo": archive.getvalue(),
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "HTML": b"<!doctype html><script>alert(1)</script>",
        "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
        "MP4": b"\0\0\0\x20ftypisom" + bytes(100),
        "JPEG XL": b"\xff\x0a" + bytes(100),
        "WAV": b"RIFF\x24\0\0\0WAVEfmt " + bytes(30),
        "AVI": b"RIFF\x24\0\0\0AVI LIST" + bytes(30),
        "PSD": b"8BPS\0\1" + bytes(60),
        "MNG": b"\x8aMNG\r\n\x1a\n" + bytes(60),
        "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file",
        "FITS": b"SIMPLE  =                    T".ljust(2880),
        "ELF": b"\x7fELF\2\1\1" + bytes(60),
        "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
        "JSON": b'{"image": "photo.jpg"}',
        "text in UTF-16": "photo".encode("utf-16"),
        "data URL": b"data:image/png;base64,iVBORw0KGgo=",
    }
    for name, data in heads.items():
        yield f"type: {name}", data, UNSUPPORTED


def polyglots() -> Iterator[Case]:
    """Files that are two things at once."""
    photo, other = encoded(picture(), "JPEG"), encoded(picture(), "PNG")
    yield "polyglot: GIF before JPEG", b"GIF89a" + photo, UNSUPPORTED
    yield "polyglot: PDF before JPEG", b"%PDF-1.4\n" + photo, UNSUPPORTED
    yield "polyglot: JPEG and PNG", photo + other, PIXELS
    yield "polyglot: PNG and JPEG", other + photo, PIXELS
    yield "polyglot: JPEG and a film", photo + b"\0\0\0\x20ftypmp42" + bytes(range(256)) * 400, PIXELS
    yield "polyglot: JPEG and ZIP", photo + b"PK\x03\x04" + bytes(100) + b"PK\x05\x06" + bytes(18), PIXELS
    yield "polyglot: JPEG with a script", jpeg(segment(0xFE, b"<?php system($_GET[0]); ?><script>")), PIXELS
    yield "polyglot: PNG with a script", png(chunk(b"tEXt", b"Comment\0<script>alert(1)</script>")), PIXELS
    yield "polyglot: PNG with a JPEG in a chunk", png(chunk(b"prVt", photo)), PIXELS
    yield "polyglot: WebP and JPEG", encoded(picture(), "WEBP") + photo, PIXELS
    yield "polyglot: PNG signature, JPEG content", other[:8] + photo, BROKEN
    yield "polyglot: JPEG signature, PNG content", photo[:3] + other, BROKEN


def giant_headers() -> Iterator[Case]:
    """Sizes that no memory could hold, and sizes at the limits."""
    for width, height, outcome in (
        (2**31 - 1, 2**31 - 1, TOO_LARGE),
        (2**32 - 1, 1, TOO_LARGE),
        (100_000, 100_000, TOO_LARGE),
        (65_535, 65_535, TOO_LARGE),
        (5_001, 5_000, TOO_LARGE),
        (10_001, 1_000, TOO_LARGE),
        (10_000, 100, BROKEN),
        (0, 36, BROKEN),
        (48, 0, BROKEN),
        (0, 0, BROKEN),
    ):
        yield f"giant: PNG {width} x {height}", png(size=(width, height), data=b"\0"), outcome
    for width, height, outcome in (
        (65_535, 65_535, TOO_LARGE),
        (0, 36, BROKEN),
        (48, 0, BROKEN),
        (1, 65_000, TOO_LARGE),
    ):
        data = encoded(picture(), "JPEG")
        at = data.index(b"\xff\xc0") + 5
        size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
        yield f"giant: JPEG {width} x {height}", data[:at] + size + data[at + 4 :], outcome
    yield "giant: WebP canvas of 2^24 a side", riff(vp8x(2**24, 2**24)), TOO_LARGE
    frame = webp_chunks(encoded(picture(), "WEBP"))
    yield "giant: WebP canvas above its frame", riff(vp8x(2**14, 2**14), *frame), TOO_LARGE
    lossless = b"\x2f" + ((2**14 - 1) | (2**14 - 1) << 14).to_bytes(4, "little")
    yield "giant: lossless WebP", riff((b"VP8L", lossless + bytes(100))), TOO_LARGE
    yield "giant: lossy WebP", riff((b"VP8 ", b"\x10\0\0\x9d\x01\x2a\xff\x3f\xff\x3f" + bytes(100))), TOO_LARGE


def bombs() -> Iterator[Case]:
    """Small files of many pixels, and the largest that are allowed."""
    yield "bomb: PNG of 100 million pixels", encoded(Image.new("1", (10_000, 10_000)), "PNG"), TOO_LARGE
    yield "bomb: PNG of 25 million pixels", encoded(Image.new("RGB", (5_000, 5_000)), "PNG"), PIXELS
    yield "bomb: transparent PNG of 25 million pixels", encoded(Image.new("LA", (5_000, 5_000)), "PNG"), PIXELS
    yield "bomb: interlaced PNG", png(size=(5_000, 5_000), depth=1, colours=0, interlace=1, data=bytes(2**22)), PIXELS
    webp = encoded(Image.new("RGB", (5_000, 5_000)), "WEBP", lossless=True, method=0, quality=0)
    yield "bomb: WebP of 25 million pixels", webp, TOO_LARGE
    webp = encoded(Image.new("RGB", (4_000, 4_000)), "WEBP", lossless=True, method=0, quality=0)
    yield "bomb: WebP of 16 million pixels", webp, PIXELS
    large = Image.new("CMYK", (5_000, 5_000))
    yield "bomb: progressive CMYK JPEG", encoded(large, "JPEG", progressive=True), PIXELS
    data = encoded(Image.new("RGB", (3_000, 3_000)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    yield "bomb: JPEG of 60 scans", data[:-2] + data[last:-2] * 50 + data[-2:], EITHER
    yield "bomb: JPEG of 5000 scans", data[:-2] + data[last:-2] * 5_000 + data[-2:], BROKEN
    yield "bomb: half a million comments", jpeg(segment(0xFE) * 500_000), BROKEN
    yield "bomb: 50,000 Exif blocks", jpeg(segment(0xE1, b"Exif\0\0x") * 50_000), BROKEN
    yield "bomb: padding of five megabytes", jpeg(b"\xff" * 5_000_000), PIXELS
    yield "bomb: padding without an end", b"\xff\xd8" + b"\xff" * 5_000_000, BROKEN
    yield "bomb: junk of five megabytes", jpeg(segment(0xFE), b"\x01" * 5_000_000), PIXELS
    yield "bomb: escapes of five megabytes", jpeg(b"\xff\0" * 2_500_000), BROKEN
    yield "bomb: 800,000 empty chunks", png(chunk(b"prVt") * 800_000), BROKEN
    yield (
        "bomb: WebP of 100,000 chunks",
        riff(*webp_chunks(encoded(picture(), "WEBP")), *[(b"junk", b"")] * 100_000),
        BROKEN,
    )


def animations() -> Iterator[Case]:
    """Files of several pictures."""
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue", "green")]
    several = {"save_all": True, "append_images": frames[1:]}
    yield "animation: PNG", encoded(frames[0], "PNG", **several), UNSUPPORTED
    yield "animation: WebP", encoded(frames[0], "WEBP", **several), UNSUPPORTED
    yield "animation: GIF", encoded(frames[0], "GIF", **several), UNSUPPORTED
    control = bytes(4)
    for count, outcome in ((0, PIXELS), (1, PIXELS), (2, UNSUPPORTED), (2**31, UNSUPPORTED), (2**32 - 1, UNSUPPORTED)):
        yield f"animation: PNG that says {count}", png(chunk(b"acTL", count.to_bytes(4, "big") + control)), outcome
    yield "animation: PNG with half a control chunk", png(chunk(b"acTL", b"\0\0")), PIXELS
    chunks = webp_chunks(encoded(frames[0], "WEBP", **several))
    only = [part for part in chunks if part[0] != b"ANMF"] + [next(part for part in chunks if part[0] == b"ANMF")]
    yield "animation: WebP of one frame", riff(*only), PIXELS
    yield "animation: WebP without its frames", riff(*only[:-1]), BROKEN
    previews = encoded(frames[0], "MPO", **several)
    yield "animation: JPEG with previews", previews, PIXELS
    yield "animation: JPEG with previews cut off", previews[: previews.index(b"\xff\xd9") + 2], PIXELS


def tiny() -> Iterator[Case]:
    """Photos of a few pixels."""
    for kind in ("JPEG", "PNG", "WEBP"):
        for width, height in ((1, 1), (2, 1), (1, 50), (50, 1)):
            yield f"tiny: {kind} {width} x {height}", encoded(Image.new("RGB", (width, height), "red"), kind), PIXELS
        yield f"tiny: {kind} 1 x 51", encoded(Image.new("RGB", (1, 51), "red"), kind), BROKEN
    for mode in ("1", "L", "LA", "P", "RGBA"):
        yield f"tiny: PNG {mode}", encoded(Image.new(mode, (1, 1)), "PNG"), PIXELS
    sixteen = np.full((1, 1), 40_000, dtype=np.uint16)
    yield "tiny: PNG I;16", encoded(Image.fromarray(sixteen), "PNG"), PIXELS


GROUPS: dict[str, Callable[[], Iterator[Case]]] = {
    "cut": cut_short,
    "nothing": nothing,
    "type": other_types,
    "polyglot": polyglots,
    "giant": giant_headers,
    "bomb": bombs,
    "animation": animations,
    "tiny": tiny,
    "PNG": png_structures,
    "JPEG": jpeg_structures,
    "WebP": webp_structures,
    "Exif": exif_blocks,
    "profile": colour_profiles,
    "text": texts,
}
"""What makes the files of each group."""


def fits(outcome: str, got: str) -> bool:
    """Whether what came of a file (PIXELS or a reason) is what should."""
    refused = got in (UNSUPPORTED, TOO_LARGE, BROKEN)
    return got == outcome or (outcome == REFUSED and refused) or (outcome == EITHER and (refused or got == PIXELS))


def corpus() -> Iterator[Case]:
    """All files, one group after the other."""
    for group in GROUPS.values():
        yield from group()
