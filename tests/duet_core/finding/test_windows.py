"""Random windows: the box given for a window is where the object is in what is cut."""

from __future__ import annotations

import torch

from duet_core.augment import cut
from duet_core.finding.windows import random_windows

SIDE, COUNT = 120, 200


def drawn(boxes: torch.Tensor) -> torch.Tensor:
    """Black photos (B, SIDE, SIDE, 3) with a white box in each; its left upper quarter is grey."""
    photos = torch.zeros(len(boxes), SIDE, SIDE, 3, dtype=torch.uint8)
    for photo, (left, top, right, bottom) in zip(photos, (boxes * SIDE).round().int().tolist(), strict=True):
        photo[top:bottom, left:right] = 255
    return photos


def edges_of(image: torch.Tensor) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what is bright in (3, S, S), 0…1."""
    bright = image[0] > 0.5
    columns, rows = bright.any(dim=0).nonzero(), bright.any(dim=1).nonzero()
    size = image.shape[-1]
    return (
        float(columns.min()) / size,
        float(rows.min()) / size,
        (float(columns.max()) + 1) / size,
        (float(rows.max()) + 1) / size,
    )


def random_boxes(generator: torch.Generator) -> torch.Tensor:
    low = torch.rand(COUNT, 2, generator=generator) * 0.5
    return (
        (torch.cat([low, low + 0.2 + 0.3 * torch.rand(COUNT, 2, generator=generator)], dim=1)) * SIDE
    ).round() / SIDE


def test_a_box_is_where_the_object_is_in_its_window() -> None:
    generator = torch.Generator().manual_seed(3)
    boxes = random_boxes(generator)
    windows, inside = random_windows(boxes, generator)
    images = cut(drawn(boxes), windows, 96)
    for image, box in zip(images, inside.tolist(), strict=True):
        assert max(abs(own - told) for own, told in zip(edges_of(image), box, strict=True)) < 0.025


def test_windows_hold_the_whole_box_and_some_are_the_whole_photo() -> None:
    generator = torch.Generator().manual_seed(4)
    windows, inside = random_windows(random_boxes(generator), generator)
    assert float(inside.min()) >= -1e-6
    assert float(inside.max()) <= 1 + 1e-6
    assert bool((inside[:, 0] < inside[:, 2]).all())
    whole = (windows[:, 2].abs() == 1) & (windows[:, 3] == 1)
    assert 0.25 < float(whole.float().mean()) < 0.55
    assert 0.35 < float((windows[:, 2] < 0).float().mean()) < 0.65
    tight = (inside[:, 2] - inside[:, 0]).max()
    assert float(tight) > 0.8  # some windows are nearly the box itself
