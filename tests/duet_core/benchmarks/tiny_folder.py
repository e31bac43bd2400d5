"""A tiny folder of one's own: six classes of two colours and three shapes, seven photos each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("red ball", "red box", "red cone", "blue ball", "blue box", "blue cone")
PHOTOS = 7
ATTRIBUTES = """\
prompts:
  color: [red, blue]
  shape: [ball, box, cone]
classes:
  red ball: {color: red, shape: ball}
  red box: {color: red, shape: box}
  red cone: {color: red, shape: cone}
  blue ball: {color: blue, shape: ball}
  blue box: {color: blue, shape: box}
  blue cone: {color: blue, shape: cone}
"""


def write(root: Path, attributes: str = ATTRIBUTES) -> Path:
    """Make the folder; no two photos are alike."""
    for number, name in enumerate(CLASSES):
        for photo in range(PHOTOS):
            add_photo(root, name, f"{photo}.png", seed=number * PHOTOS + photo)
    (root / "attributes.yaml").write_text(attributes, encoding="utf-8")
    return root


def add_photo(root: Path, name: str, file: str, *, seed: int, side: int = 40) -> Path:
    """One photo of noise; the same for the same seed."""
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    path = root / "images" / name / file
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path
