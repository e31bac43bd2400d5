"""Random crops: a box is what it says, and always lies inside the photo."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.augment import CropRange, cut, random_boxes


def photos(count: int = 2, side: int = 8) -> torch.Tensor:
    return torch.randint(0, 256, (count, side, side, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def boxes(*rows: tuple[float, float, float, float]) -> torch.Tensor:
    return torch.tensor(rows)


def test_the_whole_photo_at_its_own_size_comes_back_unchanged() -> None:
    photo = photos()
    whole = cut(photo, boxes((0.5, 0.5, 1, 1), (0.5, 0.5, 1, 1)), 8)
    torch.testing.assert_close(whole, photo.permute(0, 3, 1, 2) / 255)


def test_negative_width_mirrors() -> None:
    photo = photos(1)
    plain, mirrored = (cut(photo, boxes((0.4, 0.6, width, 0.5)), 5) for width in (0.7, -0.7))
    torch.testing.assert_close(mirrored, plain.flip(-1))
    assert not torch.allclose(mirrored, plain)


def test_a_box_is_the_part_of_the_photo_it_names() -> None:
    photo = photos(1)
    quarter = cut(photo, boxes((0.75, 0.25, 0.5, 0.5)), 4)  # right half, upper half
    torch.testing.assert_close(quarter, photo[:, :4, 4:].permute(0, 3, 1, 2) / 255)


@settings(max_examples=50, deadline=None)
@given(
    scale=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)).map(sorted),
    ratio=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)).map(sorted),
    flip=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_boxes_lie_inside_the_photo(scale: list[float], ratio: list[float], flip: bool, seed: int) -> None:
    crop = CropRange(scale=(scale[0], scale[1]), ratio=(ratio[0], ratio[1]), flip=flip)
    drawn = random_boxes(40, crop, torch.Generator().manual_seed(seed))
    centre, half = drawn[:, :2], drawn[:, 2:].abs() / 2
    assert (half > 0).all()
    assert (centre - half >= -1e-6).all()
    assert (centre + half <= 1 + 1e-6).all()
    area = (4 * half.prod(dim=1))[(half < 0.5 - 1e-6).all(dim=1)]  # a side cut to the photo's loses area
    assert ((area >= scale[0] - 1e-5) & (area <= scale[1] + 1e-5)).all()
    assert flip or (drawn[:, 2] > 0).all()


def test_half_are_mirrored_and_draws_come_from_the_generator() -> None:
    crop = CropRange(scale=(0.5, 1), ratio=(0.75, 1.33), flip=True)
    first, again, other = (random_boxes(2000, crop, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0.46 < float((first[:, 2] < 0).float().mean()) < 0.54
