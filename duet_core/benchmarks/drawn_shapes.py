"""Drawn photos of coloured shapes: the smallest folder on which attributes mean something."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COLORS = {"red": (214, 48, 42), "green": (46, 160, 67), "blue": (52, 101, 205), "yellow": (235, 198, 45)}
SHAPES = ("circle", "square", "triangle")
_SMOOTH = 4


def draw_shapes(root: Path, *, photos: int, side: int = 96, seed: int = 0) -> list[str]:
    """Draw ``<root>/<color> <shape>/<number>.png`` for each colour and shape; returns the class names.

    Place, size, turn, shade and background differ from photo to photo.

    Args:
        root: folder of the classes' folders; made when it is not there.
        photos: of each class.
        side: of a photo in pixels.
        seed: of all that differs.
    """
    random = np.random.default_rng(seed)
    names = [f"{color} {shape}" for color in COLORS for shape in SHAPES]
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(photos):
            _draw(name, side, random).save(root / name / f"{number + 1:03}.png")
    return names


def _draw(name: str, side: int, random: np.random.Generator) -> Image.Image:
    color, shape = name.split()
    large = side * _SMOOTH
    backdrop = random.normal(random.uniform(90, 200), 12, (side // 8, side // 8, 1)) + random.normal(0, 8, 3)
    image = Image.fromarray(np.clip(backdrop, 0, 255).astype(np.uint8)).resize((large, large))
    shade = random.normal(0, 12, 3) + random.normal(0, 10)
    fill = tuple(int(value) for value in np.clip(np.array(COLORS[color]) + shade, 0, 255))
    radius = large * random.uniform(0.3, 0.44)
    x, y = random.uniform(radius, large - radius, 2)
    draw, turn = ImageDraw.Draw(image), float(random.uniform(-10, 10))
    if shape == "circle":
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    else:
        draw.regular_polygon((x, y, radius), 3 if shape == "triangle" else 4, rotation=turn, fill=fill)
    return image.resize((side, side), Image.Resampling.LANCZOS)
