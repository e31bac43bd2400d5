"""The box a crop was cut from is found again, although the crop was stretched to a square."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from duet_core.judging.boxes import Box, find_box


def scene(seed: int, size: tuple[int, int] = (340, 256)) -> Image.Image:
    """Something with structure at several scales, as photos have it."""
    generator = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0], 3))
    for cells in (5, 12, 30):
        layer = Image.fromarray(generator.integers(0, 256, (cells, cells, 3)).astype(np.uint8))
        total += np.asarray(layer.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)
    return Image.fromarray((total / 3).astype(np.uint8))


@pytest.mark.parametrize(
    ("seed", "box"), [(0, (60, 40, 150, 120)), (1, (200, 100, 60, 140)), (2, (10, 150, 250, 60)), (3, (0, 0, 340, 256))]
)
def test_the_box_is_found(seed: int, box: tuple[int, int, int, int]) -> None:
    photo = scene(seed)
    left, top, width, height = box
    crop = photo.crop((left, top, left + width, top + height)).resize((227, 227), Image.Resampling.BICUBIC)
    found = find_box(photo, crop)
    assert found.likeness > 0.97
    edges = (found.left, found.top, found.left + found.width, found.top + found.height)
    assert edges == pytest.approx((left, top, left + width, top + height), abs=4)


def test_a_crop_of_another_photo_is_unlike_everything() -> None:
    assert find_box(scene(4), scene(5).crop((40, 40, 200, 200))).likeness < 0.8


def test_what_a_box_contains() -> None:
    box = Box(10, 20, 30, 40, 1.0)
    assert [box.contains(x, y) for x, y in ((10, 20), (39.9, 59.9), (40, 30), (20, 60), (9, 30))] == [
        True,
        True,
        False,
        False,
        False,
    ]
