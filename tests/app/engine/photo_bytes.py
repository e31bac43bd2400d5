"""Photo files put together byte by byte, for what no encoder writes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

Tags = dict[bytes, bytes]


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def picture(width: int = 48, height: int = 36, mode: str = "RGB") -> Image.Image:
    """Red above, blue below, with a slope from left to right, so that every turn of it is another picture."""
    y, x = np.mgrid[0:height, 0:width]
    slope = (x * 120 // width).astype(np.uint8)
    upper = (y < height // 2).astype(np.uint8)
    return Image.fromarray(np.stack([120 * upper + slope, slope, 120 * (1 - upper) + slope], axis=2)).convert(mode)


def chunk(kind: bytes, data: bytes = b"", *, length: int | None = None, crc: int | None = None) -> bytes:
    """A chunk of a PNG; length and checksum are right unless given."""
    head = struct.pack(">I", len(data) if length is None else length) + kind
    return head + data + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)


def png(
    *chunks: bytes,
    size: tuple[int, int] = (48, 36),
    depth: int = 8,
    colours: int = 2,
    interlace: int = 0,
    data: bytes | None = None,
    after: bytes = b"",
) -> bytes:
    """A PNG: header, `chunks`, image data (black unless given, unpacked), `after`, end."""
    width, height = size
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colours, 1)
    if data is None:
        data = bytes((1 + (width * depth * samples + 7) // 8) * height)
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlace)
    body = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(data, 9)), after, chunk(b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def segment(marker: int, data: bytes = b"", *, length: int | None = None) -> bytes:
    """A segment of a JPEG; its length is right unless given."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2 if length is None else length) + data


def jpeg(*segments: bytes, image: Image.Image | None = None, **options: Any) -> bytes:
    """A JPEG with segments put in right after its first marker."""
    data = encoded(image or picture(), "JPEG", **options)
    return data[:2] + b"".join(segments) + data[2:]


def jpeg_changed(marker: int, offset: int, value: bytes, **options: Any) -> bytes:
    """A JPEG in which `value` stands at `offset` in the first segment with this marker, counted from its length."""
    data = encoded(picture(), "JPEG", **options)
    at = data.index(bytes((0xFF, marker))) + 2 + offset
    return data[:at] + value + data[at + len(value) :]


def riff(*chunks: tuple[bytes, bytes], size: int | None = None) -> bytes:
    """A WebP file of chunks."""
    body = b"WEBP"
    for kind, data in chunks:
        body += kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def webp_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a WebP file."""
    found, at = [], 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        found.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


def vp8x(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    """The first chunk of an extended WebP file."""
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes((flags, 0, 0, 0)) + sizes


def exif(value: int = 6, *, order: str = "<", kind: int = 3, entries: int | None = None, first: int = 8) -> bytes:
    """An Exif block whose one entry is the orientation."""
    entry = struct.pack(f"{order}HHI", 0x0112, kind, 1)
    packed = struct.pack(order + {1: "Bxxx", 3: "Hxx", 4: "I"}.get(kind, "Hxx"), value)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, first)
    return head + struct.pack(f"{order}H", 1 if entries is None else entries) + entry + packed + bytes(4)


def app_exif(block: bytes) -> bytes:
    """An Exif block as a segment of a JPEG."""
    return segment(0xE1, b"Exif\0\0" + block)


def app_profile(profile: bytes, *, numbers: Sequence[int] | None = None) -> bytes:
    """A colour profile as segments of a JPEG."""
    parts = [profile[at : at + 65_000] for at in range(0, max(len(profile), 1), 65_000)]
    shown = range(1, len(parts) + 1) if numbers is None else numbers
    pairs = zip(shown, parts, strict=False)
    return b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes((n, len(parts))) + part) for n, part in pairs)


def iccp(profile: bytes) -> bytes:
    """A colour profile as a chunk of a PNG."""
    return chunk(b"iCCP", b"profile\0\0" + zlib.compress(profile))


def icc(tags: Tags, *, space: bytes = b"RGB ", pcs: bytes = b"XYZ ", kind: bytes = b"mntr") -> bytes:
    """A colour profile of version 2."""
    header = bytearray(128)
    header[8:12], header[12:16], header[16:20], header[20:24] = b"\x02\x40\0\0", kind, space, pcs
    header[36:40] = b"acsp"
    header[68:80] = struct.pack(">3i", *(round(v * 65536) for v in (0.9642, 1.0, 0.8249)))
    table, body = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(tag))
        body += tag + bytes(-len(tag) % 4)
    header[:4] = struct.pack(">I", 128 + len(table) + len(body))
    return bytes(header) + table + body


def xyz(*values: float) -> bytes:
    """A colour as a tag."""
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def gamma(value: float) -> bytes:
    """A tone curve as a tag."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + bytes(2)


def srgb_curve() -> bytes:
    """The tone curve of sRGB as a table of 1024 values."""
    x = np.linspace(0, 1, 1024)
    values = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return b"curv\0\0\0\0" + struct.pack(">I1024H", 1024, *np.rint(values * 65535).astype(int))


PRIMARIES = {
    "srgb": ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141)),
    "display-p3": ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)),
    "adobe-rgb": ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
}
"""Red, green and blue of a space as seen under D50, the light of profiles."""


def rgb_profile(space: str, curve: bytes | None = None, **more: bytes) -> bytes:
    """A profile of one of `PRIMARIES`; with sRGB's curve, but for Adobe RGB's gamma of 2.2."""
    red, green, blue = PRIMARIES[space]
    tone = curve or (gamma(563 / 256) if space == "adobe-rgb" else srgb_curve())
    tags = {b"rXYZ": xyz(*red), b"gXYZ": xyz(*green), b"bXYZ": xyz(*blue), b"wtpt": xyz(0.9642, 1.0, 0.8249)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), tone)
    return icc(tags | {name.encode(): tag for name, tag in more.items()})


def cmyk_profile(paper_lab: Sequence[tuple[float, float, float]], *, grid: int = 2) -> bytes:
    """A profile of printing inks: (L, a, b) for the 16 corners of CMYK, black changing fastest, straight between."""
    corners = [(round(li * 652.8), round((a + 128) * 256), round((b + 128) * 256)) for li, a, b in paper_lab]
    matrix = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    line = struct.pack(">HH", 0, 65535)
    table = b"".join(struct.pack(">3H", *corner) for corner in corners)
    lut = b"mft2\0\0\0\0" + bytes((4, 3, grid, 0)) + matrix + struct.pack(">HH", 2, 2) + line * 4 + table + line * 3
    return icc({b"A2B0": lut, b"wtpt": xyz(0.9642, 1.0, 0.8249)}, space=b"CMYK", pcs=b"Lab ", kind=b"prtr")
