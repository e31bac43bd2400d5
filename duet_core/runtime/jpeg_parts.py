"""A JPEG taken apart: its size, its scans, Exif and colour profile, and the file without the rest.

Pillow reads segments one by one in Python, keeps them all, and joins Exif blocks one to the next: half a million empty
comments cost it seconds, five megabytes of padding half a minute. So what Pillow gets is what libjpeg needs.
"""

from __future__ import annotations

import re

from duet_core.runtime.photo_parts import MAX_PIECES, MAX_PROFILE, MAX_SCANS, PhotoError, PhotoParts, broken
from duet_core.runtime.photo_parts import too_many_pieces as too_many

SIGNATURE = b"\xff\xd8\xff"

_MARKER = re.compile(rb"[^\xff]")  # any number of FF may come before it
_AFTER_SCAN = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # in a scan FF00 is a value, and FFD0…FFD7 count its parts
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # Huffman or arithmetic coding, in one go or progressive
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF}  # lossless, hierarchical
_KEPT = {0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE} | _FRAMES  # tables, restart interval, JFIF, Adobe
_ALONE = {0x00, 0x01, *range(0xD0, 0xD8)}  # markers, or junk, without a length
_SCAN, _END, _EXIF, _PROFILE = 0xDA, 0xD9, 0xE1, 0xE2


def jpeg_parts(data: bytes) -> PhotoParts:
    """Take a JPEG apart. Raises PhotoError for one without a picture, in too many pieces, lossless or hierarchical."""
    kept, exif = [data[:2]], b""
    profile: dict[int, bytes] = {}
    frame: tuple[int, bytes] | None = None
    at = 2
    for _ in range(MAX_PIECES["JPEG"]):
        marker, at = _next(data, at)
        if marker in _ALONE:
            continue
        segment = _segment(data, at)
        if marker == _SCAN:
            if frame is None:
                raise broken("JPEG", "with a scan before its size")
            scans, end = _scans(data, at + len(segment))
            kept.append(b"\xff\xda" + data[at:end])
            return _made(frame, b"".join(kept), scans, exif, _joined(profile))
        at += len(segment)
        if marker in _FRAMES | _OTHER_FRAMES:
            if frame is not None:
                raise broken("JPEG", "with two sizes")
            frame = (marker, segment)
        if marker in _KEPT:
            kept.append(bytes((0xFF, marker)) + segment)
        elif marker == _EXIF and segment[2:8] == b"Exif\0\0":
            exif = exif or segment[2:]
        elif marker == _PROFILE and segment[2:14] == b"ICC_PROFILE\0" and len(segment) > 16:
            profile.setdefault(segment[14], segment[16:])
    raise too_many("JPEG")


def _next(data: bytes, at: int) -> tuple[int, int]:
    """The next marker from `at` on, and where it ends; what lies between is junk that libjpeg passes over too."""
    start = data.find(b"\xff", at)
    found = _MARKER.search(data, start) if start >= 0 else None
    if found is None or found[0][0] == _END:
        raise broken("JPEG", "that ends before its picture")
    return found[0][0], found.end()


def _segment(data: bytes, at: int) -> bytes:
    """A segment with its two bytes of length. Raises PhotoError when it is cut short."""
    length = int.from_bytes(data[at : at + 2], "big")
    if length < 2 or at + length > len(data):
        raise broken("JPEG", "with a segment that is cut short")
    return data[at : at + length]


def _scans(data: bytes, at: int) -> tuple[int, int]:
    """How many scans there are, counted to just above the limit, and where the picture ends: previews may follow."""
    scans = 1
    for _ in range(MAX_PIECES["JPEG"]):
        found = _AFTER_SCAN.search(data, at)
        if found is None or scans > MAX_SCANS:
            return scans, len(data)
        marker, at = found[1][0], found.end()
        if marker == _END:
            return scans, at
        scans += marker == _SCAN
        if marker not in _ALONE:
            at += max(int.from_bytes(data[at : at + 2], "big"), 2)
    raise too_many("JPEG")


def _made(frame: tuple[int, bytes], data: bytes, scans: int, exif: bytes, profile: bytes) -> PhotoParts:
    marker, segment = frame
    if marker in _OTHER_FRAMES:
        raise PhotoError(
            "Lossless and hierarchical JPEG are not read.",
            "unsupported-media-type",
            got=f"SOF{marker - 0xC0}",
            allowed="baseline or progressive",
        )
    if len(segment) < 8:
        raise broken("JPEG", "with a segment that is cut short")
    return PhotoParts(
        kind="JPEG",
        width=int.from_bytes(segment[5:7], "big"),
        height=int.from_bytes(segment[3:5], "big"),
        data=data,
        channels=1 if segment[7] == 1 else 4,
        scans=scans,
        buffered=scans > 1 or marker in (0xC2, 0xCA),
        exif=exif,
        profile=profile,
    )


def _joined(profile: dict[int, bytes]) -> bytes:
    """The colour profile out of its numbered parts; none when a part is missing."""
    complete = list(range(1, len(profile) + 1)) == sorted(profile)
    if not complete or sum(map(len, profile.values())) > MAX_PROFILE:
        return b""
    return b"".join(profile[number] for number in sorted(profile))
