"""JPEG, PNG and WebP files that break the rules of their format, and what has to come of each."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from tests.app.engine.photo_bytes import (
    chunk,
    encoded,
    jpeg,
    jpeg_changed,
    picture,
    png,
    riff,
    segment,
    vp8x,
    webp_chunks,
)

PIXELS, EITHER, BROKEN, UNSUPPORTED = "pixels", "either", "broken-image", "unsupported-media-type"

Case = tuple[str, bytes, str]
HEADER = struct.pack(">IIBBBBB", 48, 36, 8, 2, 0, 0, 0)
SIGNATURE = b"\x89PNG\r\n\x1a\n"
ROWS = bytes((1 + 48 * 3) * 36)


def png_structures() -> Iterator[Case]:
    """PNG files put together wrongly."""
    good = zlib.compress(ROWS)
    header, data, end = chunk(b"IHDR", HEADER), chunk(b"IDAT", good), chunk(b"IEND")
    files = {
        "without data": header + end,
        "with empty data": header + chunk(b"IDAT") + end,
        "without an end": header + data,
        "data before its header": data + header + end,
        "end before its data": header + end + data,
        "checksum of the header wrong": chunk(b"IHDR", HEADER, crc=0) + data + end,
        "checksum of the data wrong": header + chunk(b"IDAT", good, crc=0) + end,
        "header of 12 bytes": chunk(b"IHDR", HEADER[:12]) + data + end,
        "header of 14 bytes": chunk(b"IHDR", HEADER + b"\0") + data + end,
        "header that says 2^31 bytes": chunk(b"IHDR", HEADER, length=2**31) + data + end,
        "data that says 2^32 - 1 bytes": header + chunk(b"IDAT", good, length=2**32 - 1) + end,
        "data that is no zlib stream": header + chunk(b"IDAT", b"photo" * 50) + end,
        "data cut short inside": header + chunk(b"IDAT", good[: len(good) // 2]) + end,
        "compression method 1": chunk(b"IHDR", HEADER[:10] + b"\1\0\0") + data + end,
        "filter method 1": chunk(b"IHDR", HEADER[:11] + b"\1\0") + data + end,
        "interlace method 9": chunk(b"IHDR", HEADER[:12] + b"\x09") + data + end,
        "of Apple's own kind": chunk(b"CgBI", b"P\0\x20\2") + header + data + end,
    }
    for name, body in files.items():
        yield f"PNG: {name}", SIGNATURE + body, EITHER
    second = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0))
    yield "PNG: second, larger header", SIGNATURE + header + second + data + end, PIXELS
    split = b"".join(chunk(b"IDAT", good[at : at + 1]) for at in range(len(good)))
    yield "PNG: data in pieces of one byte", SIGNATURE + header + split + end, PIXELS
    yield "PNG: too little data", png(data=ROWS[:1000]), EITHER
    yield "PNG: too much data", png(data=ROWS * 500), PIXELS
    yield "PNG: filter 200", png(data=b"\xc8" + ROWS[1:]), BROKEN
    for depth, colours in ((3, 2), (8, 5), (16, 3), (0, 0), (255, 255)):
        yield f"PNG: depth {depth} of colour type {colours}", png(depth=depth, colours=colours, data=ROWS), BROKEN
    for depth, colours in ((1, 0), (2, 0), (4, 0), (16, 0), (16, 2), (8, 4), (16, 4), (8, 6), (16, 6)):
        yield f"PNG: depth {depth} of colour type {colours}", png(depth=depth, colours=colours), PIXELS
    yield "PNG: palette missing", png(colours=3), EITHER
    yield (
        "PNG: palette of one colour",
        png(chunk(b"PLTE", bytes(3)), colours=3, data=b"\0" + bytes(range(48)) + ROWS),
        EITHER,
    )
    yield "PNG: palette of two bytes", png(chunk(b"PLTE", bytes(2)), colours=3), EITHER
    yield "PNG: palette of 300 colours", png(chunk(b"PLTE", bytes(900)), colours=3), EITHER
    palette = chunk(b"PLTE", bytes(30))
    yield "PNG: more alphas than colours", png(palette, chunk(b"tRNS", bytes(999)), colours=3), EITHER
    yield "PNG: transparent colour of one byte", png(chunk(b"tRNS", b"\0")), EITHER
    yield "PNG: transparent colour above 255", png(chunk(b"tRNS", b"\xff\xff\xff\xff\xff\xff")), EITHER
    yield "PNG: transparent 16-bit colour", png(chunk(b"tRNS", b"\x80\1\x80\1\x80\1"), depth=16), EITHER
    yield "PNG: transparent 16-bit grey", png(chunk(b"tRNS", b"\x80\1"), depth=16, colours=0), EITHER
    yield "PNG: unknown critical chunk", png(chunk(b"ABCD", b"x")), PIXELS


def jpeg_structures() -> Iterator[Case]:
    """JPEG files put together wrongly."""
    whole = encoded(picture(), "JPEG")
    frame, scan = whole.index(b"\xff\xc0"), whole.index(b"\xff\xda")
    tables, quantisation = whole.index(b"\xff\xc4"), whole.index(b"\xff\xdb")
    size = whole[frame : frame + 19]
    yield "JPEG: without a size", whole[:frame] + whole[frame + 19 :], BROKEN
    yield "JPEG: two sizes", whole[:frame] + size + whole[frame:], BROKEN
    yield "JPEG: a second size in the scan", whole[: scan + 60] + size + whole[scan + 60 :], EITHER
    yield "JPEG: without Huffman tables", whole[:tables] + whole[scan:], EITHER
    yield "JPEG: without quantisation tables", whole[:quantisation] + whole[frame:], EITHER
    yield "JPEG: without a scan", whole[:scan], BROKEN
    yield "JPEG: scan without data", whole[: scan + 14] + b"\xff\xd9", EITHER
    yield "JPEG: end before its scan", whole[:frame] + b"\xff\xd9" + whole[frame:], BROKEN
    yield "JPEG: two beginnings", whole[:2] + whole, BROKEN
    yield "JPEG: segment of length 0", jpeg(segment(0xE5, length=0)), BROKEN
    yield "JPEG: segment of length 1", jpeg(segment(0xE5, length=1)), BROKEN
    yield "JPEG: segment beyond the end", jpeg(segment(0xE5, length=65_535)), BROKEN
    yield "JPEG: size in three bytes", whole[:frame] + b"\xff\xc0\0\3\x08" + whole[frame + 19 :], BROKEN
    for marker in (0xC3, 0xC5, 0xC7, 0xCB, 0xCF):
        yield f"JPEG: kind SOF{marker - 0xC0}", whole[:frame] + bytes((0xFF, marker)) + whole[frame + 2 :], UNSUPPORTED
    for marker in (0xC1, 0xC2, 0xC9, 0xCA):
        yield f"JPEG: wrongly SOF{marker - 0xC0}", whole[:frame] + bytes((0xFF, marker)) + whole[frame + 2 :], EITHER
    for name, offset, value in (
        ("12 bits a value", 2, b"\x0c"),
        ("16 bits a value", 2, b"\x10"),
        ("2 components", 7, b"\2"),
        ("0 components", 7, b"\0"),
        ("255 components", 7, b"\xff"),
        ("sampling factor 0", 9, b"\0"),
        ("sampling factor 15", 9, b"\xff"),
        ("quantisation table 9", 10, b"\x09"),
        ("components of one name", 11, b"\1\x11\0\1\x11\0"),
    ):
        yield f"JPEG: {name}", jpeg_changed(0xC0, offset, value), EITHER
    yield "JPEG: Huffman table that overflows", jpeg_changed(0xC4, 3, b"\xff" * 16), EITHER
    yield "JPEG: scan of a component there is not", jpeg_changed(0xDA, 3, b"\x09"), EITHER
    yield "JPEG: scan of coefficients beyond 63", jpeg_changed(0xDA, 9, b"\xff\xff"), EITHER
    yield "JPEG: restart interval, no restarts", jpeg(segment(0xDD, b"\0\1")), EITHER
    yield "JPEG: Adobe marker, 9th transform", jpeg(segment(0xEE, b"Adobe\0\x64\0\0\0\0\x09")), EITHER
    yield "JPEG: Adobe marker, cut short", jpeg(segment(0xEE, b"Adobe\0")), EITHER
    yield "JPEG: data of ones", whole[: scan + 14] + b"\xff\0" * 3000 + b"\xff\xd9", EITHER
    yield "JPEG: arithmetic coding conditions", jpeg(segment(0xCC, b"\0\xff" * 40)), EITHER
    yield "JPEG: restarts everywhere", whole[: scan + 14] + b"\xff\xd0\xff\xd7" * 2000 + b"\xff\xd9", EITHER


def webp_structures() -> Iterator[Case]:
    """WebP files put together wrongly."""
    lossy = webp_chunks(encoded(picture(), "WEBP"))
    lossless = webp_chunks(encoded(picture(), "WEBP", lossless=True))
    clear = webp_chunks(encoded(picture().convert("RGBA"), "WEBP"))
    (kind, frame), size = lossy[0], vp8x(48, 36)
    files = {
        "size of the file 0": (riff(*lossy, size=0), EITHER),
        "size of the file 2^32 - 1": (riff(*lossy, size=2**32 - 1), EITHER),
        "size of the file odd": (riff(*lossy, size=13), EITHER),
        "canvas without a frame": (riff(size), BROKEN),
        "canvas below its frame": (riff(vp8x(8, 8), *lossy), EITHER),
        "two canvases": (riff(size, size, *lossy), EITHER),
        "canvas of three bytes": (riff((b"VP8X", b"\0\0\0"), *lossy), "refused"),
        "alpha that is none": (riff(vp8x(48, 36, 0x10), (b"ALPH", b"\xff" * 50), *lossy), EITHER),
        "all flags": (riff(vp8x(48, 36, 0xFF), *lossy), EITHER),
        "animated, without animation": (riff(vp8x(48, 36, 0x02), *lossy), EITHER),
        "signature of the lossless frame wrong": (riff((b"VP8L", b"\0" + lossless[0][1][1:])), BROKEN),
        "lossless frame of noise": (riff((b"VP8L", lossless[0][1][:5] + b"\xa5" * 500)), EITHER),
        "no key frame": (riff((kind, bytes((frame[0] | 1,)) + frame[1:])), BROKEN),
        "frame of noise": (riff((kind, frame[:10] + b"\x5a" * 300)), EITHER),
        "two frames": (riff(*lossy, *lossless), EITHER),
        "unknown first chunk": (riff((b"JUNK", b""), *lossy), BROKEN),
        "chunks in capitals": (riff((b"vp8 ", frame)), BROKEN),
        "alpha cut short": (riff(*[(name, data[: len(data) // 2]) for name, data in clear]), BROKEN),
        "unknown chunks": (riff(size, *lossy, (b"JUNK", b"x" * 99), (b"XMP ", b"<x/>")), PIXELS),
        "chunk beyond the end": (riff(*lossy) + b"EXIF\xff\xff\xff\xff", EITHER),
    }
    for name, (data, outcome) in files.items():
        yield f"WebP: {name}", data, outcome
