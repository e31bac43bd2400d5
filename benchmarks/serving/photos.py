"""Photos made in code: smooth shapes under fine grain, so that files are as large as a camera's at the same quality."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

SIDES = (300, 2000)
"""Pixels of the longest side, drawn evenly on a logarithmic scale."""
KINDS = ("jpg", "png", "webp", "gray.jpg", "cmyk.jpg", "alpha.png")


def make_photo(seed: int, *, kind: str = "jpg", sides: tuple[int, int] = SIDES) -> bytes:
    """The encoded file of one photo, the same for the same arguments.

    Args:
        seed: of everything drawn: size, shape, colours, grain.
        kind: one of `KINDS`; the part after the last dot is the format.
        sides: least and greatest length of the longest side in pixels.

    Raises ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"got kind {kind!r}; allowed are {', '.join(KINDS)}")
    draw = np.random.default_rng(seed)
    longest = round(math.exp(draw.uniform(*np.log(sides))))
    shortest = max(1, round(longest * draw.uniform(0.6, 1.0)))
    size = (longest, shortest) if draw.random() < 0.5 else (shortest, longest)
    coarse = Image.fromarray(draw.integers(0, 256, (12, 12, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    grain = draw.normal(0, 6, (size[1], size[0], 1))
    image = Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))
    modes = {"gray": "L", "cmyk": "CMYK", "alpha": "RGBA"}
    image = image.convert(modes.get(kind.partition(".")[0], "RGB"))
    file = io.BytesIO()
    if kind.endswith("jpg"):
        image.save(file, "JPEG", quality=85)
    elif kind.endswith("png"):
        image.save(file, "PNG", compress_level=1)
    else:
        image.save(file, "WEBP", quality=80, method=0)
    return file.getvalue()


def write_photos(
    folder: Path,
    count: int,
    *,
    kinds: tuple[str, ...] = ("jpg",),
    seed: int = 0,
    sides: tuple[int, int] = SIDES,
) -> None:
    """Write `count` photos of these kinds in turn into a folder, named so that their order is that of their names."""
    for number in range(count):
        kind = kinds[number % len(kinds)]
        (folder / f"{number:04}.{kind}").write_bytes(make_photo(seed + number, kind=kind, sides=sides))


def read_photos(folder: Path) -> list[bytes]:
    """The files of a folder in the order of their names. Raises ValueError when there are none."""
    photos = [path.read_bytes() for path in sorted(folder.iterdir())]
    if not photos:
        raise ValueError(f"no photos in {folder.name}; write_photos makes some")
    return photos
