"""Pictures that show no bird: what scikit-image and scikit-learn ship, and pictures drawn here by chance.

The packages are looked for, not imported: `pip install --no-deps scikit-image scikit-learn` (the extra `judge`).
"""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

_SIDE = 224
_LEAST_SIDE = 64
_DRAWN = 240
_SMALL = 120


@dataclass(frozen=True)
class ForeignPicture:
    """A picture of none of the classes.

    Attributes:
        kind: the group it is counted in.
        source: what it was made from; pictures of one source are never divided between choosing and reporting.
        image: the picture.
    """

    kind: str
    source: str
    image: Image.Image


def foreign_pictures() -> Iterator[ForeignPicture]:
    """All groups. Raises ModuleNotFoundError when a package that ships pictures is not installed."""
    yield from _photographs(_package("skimage") / "data", kind="scikit-image")
    yield from _photographs(_package("sklearn") / "datasets" / "images", kind="scikit-learn")
    yield from _digits(_package("sklearn") / "datasets" / "data" / "digits.csv.gz")
    yield from _faces(_package("skimage") / "data" / "lfw_subset.npy")
    yield from _drawn()


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(
            f"{name} is not installed; its pictures are needed: pip install --no-deps scikit-image scikit-learn"
        )
    return Path(next(iter(found.submodule_search_locations)))


def _photographs(folder: Path, *, kind: str) -> Iterator[ForeignPicture]:
    """Each picture whole, its four quarters and its centre: more scenes from few files."""
    for file in sorted([*folder.glob("*.png"), *folder.glob("*.jpg")]):
        try:
            image = Image.open(file).convert("RGB")
        except UnidentifiedImageError:
            continue
        width, height = image.size
        if min(width, height) < _LEAST_SIDE:
            continue
        yield ForeignPicture(kind, file.stem, image)
        half, quarter = (width // 2, height // 2), (width // 4, height // 4)
        for left, top in ((0, 0), (half[0], 0), (0, half[1]), half, quarter):
            yield ForeignPicture(kind, file.stem, image.crop((left, top, left + half[0], top + half[1])))


def _digits(file: Path) -> Iterator[ForeignPicture]:
    """Handwritten digits of 8 x 8 pixels, dark on white."""
    with gzip.open(file) as stream:
        rows = np.loadtxt(stream, delimiter=",")[:_SMALL, :64]
    for number, row in enumerate(rows):
        grey = (255 - row.reshape(8, 8) / 16 * 255).astype(np.uint8)
        image = Image.fromarray(grey).convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        yield ForeignPicture("digits", f"digit-{number}", image)


def _faces(file: Path) -> Iterator[ForeignPicture]:
    """Grey crops of 25 x 25 pixels, the first hundred of faces."""
    for number, values in enumerate(np.load(file, allow_pickle=False)[:_SMALL]):
        grey = (np.clip(values, 0, 1) * 255).astype(np.uint8)
        image = Image.fromarray(grey).convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        yield ForeignPicture("faces", f"face-{number}", image)


def _drawn() -> Iterator[ForeignPicture]:
    """Noise, gradients, stripes, shapes, text and Julia sets, each from a seed of its own."""
    painters: tuple[Callable[[np.random.Generator], Image.Image], ...] = (
        _noise,
        _gradient,
        _stripes,
        _shapes,
        _text,
        _julia,
    )
    for number in range(_DRAWN):
        painter = painters[number % len(painters)]
        yield ForeignPicture("drawn", f"drawn-{number}", painter(np.random.default_rng(number)))


def _colour(generator: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in generator.integers(0, 256, 3))
    return red, green, blue


def _noise(generator: np.random.Generator) -> Image.Image:
    cells = int(generator.choice([4, 16, 64, _SIDE]))
    pixels = generator.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
    return Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)


def _gradient(generator: np.random.Generator) -> Image.Image:
    corners = generator.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    return Image.fromarray(corners).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)


def _stripes(generator: np.random.Generator) -> Image.Image:
    x, y = np.meshgrid(np.arange(_SIDE), np.arange(_SIDE))
    angle, width = generator.uniform(0, np.pi), generator.uniform(4, 40)
    on = (np.floor((x * np.cos(angle) + y * np.sin(angle)) / width) % 2).astype(int)
    return Image.fromarray(np.array([_colour(generator), _colour(generator)], dtype=np.uint8)[on])


def _shapes(generator: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (_SIDE, _SIDE), _colour(generator))
    draw = ImageDraw.Draw(image)
    for _ in range(int(generator.integers(3, 14))):
        x, y = (int(value) for value in generator.integers(0, _SIDE, 2))
        size = int(generator.integers(10, 110))
        shape = (draw.ellipse, draw.rectangle)[int(generator.integers(2))]
        shape((x - size // 2, y - size // 2, x + size // 2, y + size // 2), fill=_colour(generator))
    return image


def _text(generator: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (_SIDE, _SIDE), (250, 250, 245))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(int(generator.integers(9, 24)))
    for line in range(0, _SIDE, 24):
        word = "".join(chr(int(code)) for code in generator.integers(97, 123, 26))
        draw.text((8, line), word, fill=(20, 20, 20), font=font)
    return image


def _julia(generator: np.random.Generator) -> Image.Image:
    x, y = np.meshgrid(np.linspace(-1.5, 1.5, _SIDE), np.linspace(-1.5, 1.5, _SIDE))
    z, steps = x + 1j * y, np.zeros((_SIDE, _SIDE), dtype=np.int64)
    constant = complex(generator.uniform(-0.9, 0.4), generator.uniform(-0.7, 0.7))
    for _ in range(24):
        inside = np.abs(z) < 2
        z = np.where(inside, z**2 + constant, z)
        steps += inside
    palette = generator.integers(0, 256, (25, 3)).astype(np.uint8)
    return Image.fromarray(palette[steps])
