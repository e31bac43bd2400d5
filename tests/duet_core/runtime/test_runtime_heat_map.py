"""Heat maps: the part of a photo that matters is found, and the overlay colours it and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from duet_core.runtime.heat_map import Occlusion, overlay
from duet_core.runtime.preprocess import Preprocessing

SIZE = 60


def bright_part(pixels: np.ndarray) -> np.ndarray:
    """(M, 2) a model that sees how bright the lower right third is, and the whole photo."""
    return np.stack([pixels[:, :, 40:, 40:].mean(axis=(1, 2, 3)), pixels.mean(axis=(1, 2, 3))], axis=1)


@pytest.fixture
def pixels() -> np.ndarray:
    values = np.zeros((3, SIZE, SIZE), dtype=np.float32)
    values[:, 40:, 40:] = 1
    return values


@pytest.mark.parametrize("occlusion", [Occlusion(), Occlusion(patch=0.25, steps=7)])
def test_the_part_that_matters_is_hottest(pixels: np.ndarray, occlusion: Occlusion) -> None:
    copies = occlusion.covered(pixels)
    assert copies.shape == (occlusion.count, 3, SIZE, SIZE)
    heat = occlusion.heat(
        bright_part(pixels[None])[0], bright_part(copies), np.array([1.0, 0.0], dtype=np.float32), SIZE
    )
    assert heat[40:, 40:].mean() > 5 * abs(heat[:30, :30]).mean()
    y, x = np.unravel_index(int(heat.argmax()), heat.shape)
    assert y >= 40
    assert x >= 40


def test_heat_is_linear_in_the_weights(pixels: np.ndarray) -> None:
    """So one set of covered photos explains every class, every attribute and every difference of two classes."""
    occlusion = Occlusion()
    v, covered = bright_part(pixels[None])[0], bright_part(occlusion.covered(pixels))
    first, second = (occlusion.heat(v, covered, weights, SIZE) for weights in np.eye(2, dtype=np.float32))
    np.testing.assert_allclose(
        occlusion.heat(v, covered, np.array([2.0, -3.0], dtype=np.float32), SIZE), 2 * first - 3 * second, atol=1e-9
    )


def test_every_pixel_is_covered_and_only_one_patch_a_copy(pixels: np.ndarray) -> None:
    occlusion = Occlusion()
    marked = pixels + np.arange(SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    changed = (occlusion.covered(marked) != marked).any(axis=1)  # (M, S, S)
    assert changed.any(axis=0).all()
    assert (changed.sum(axis=(1, 2)) <= 20 * 20).all()


def test_the_overlay_colours_where_it_is_hot() -> None:
    heat = np.zeros((30, 30))
    heat[20:, 20:], heat[:10, :10] = 1.0, -1.0
    photo = Image.new("RGB", (90, 90), (10, 120, 200))
    drawn = np.asarray(overlay(photo, heat))
    assert drawn[80, 80, 0] > drawn[80, 80, 2] + 100
    grey = np.asarray(photo.convert("L").convert("RGB"))
    assert drawn[5, 5].tolist() == grey[5, 5].tolist()
    assert np.array_equal(np.asarray(overlay(photo, np.zeros((30, 30)))), grey)


@pytest.mark.parametrize(("patch", "steps"), [(0.0, 5), (1.0, 5), (0.3, 1)])
def test_impossible_patches(patch: float, steps: int) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        Occlusion(patch=patch, steps=steps)


def test_prepared_pixels_can_be_shown_again() -> None:
    preprocessing = Preprocessing(size=24, resize=24, mean=(0.5, 0.4, 0.3), std=(0.5, 0.2, 0.3))
    values = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8)
    assert np.array_equal(preprocessing.picture(preprocessing(Image.fromarray(values))), values)
