"""Decoding untrusted photos: nothing but PhotoRefused ever comes out, and scaling early changes little."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from duet_core.runtime import Preprocessing, load_rgb
from duet_core.runtime.photos import PhotoLimits, PhotoRefused, read_photo

LIMITS = PhotoLimits(pixels=25_000_000, side=10_000, aspect=50)
PREPARE = Preprocessing(size=64, resize=72, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def scene(width: int, height: int) -> Image.Image:
    """Smooth waves with some texture, like a photo."""
    y, x = np.mgrid[0:height, 0:width] / height
    waves = [np.sin(x * a + y * b) for a, b in ((9, 4), (3, 11), (14, 2))]
    noise = np.random.default_rng(0).normal(0, 6, (height, width, 1))
    pixels = (np.stack(waves, axis=2) + 1) * 110 + 15 + noise
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(60, 50), (160, 144), (1280, 960), (610, 900)])
def test_scaling_early_changes_little(kind: str, size: tuple[int, int]) -> None:
    data = encoded(scene(*size), kind)
    early = PREPARE(read_photo(data, limits=LIMITS, side=PREPARE.resize))
    whole = PREPARE(load_rgb(data))
    assert np.abs(early - whole).mean() * 255 < 1.0


def test_a_large_photo_is_not_decoded_whole() -> None:
    for kind in ("JPEG", "PNG"):
        image = read_photo(encoded(scene(1200, 900), kind), limits=LIMITS, side=72)
        assert 144 <= min(image.size) <= 288


def test_orientation_survives() -> None:
    upright = scene(1000, 600)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: shown rotated by 90 degrees
    for kind in ("JPEG", "PNG"):
        data = encoded(upright.transpose(Image.Transpose.ROTATE_90), kind, exif=exif)
        turned = PREPARE(read_photo(data, limits=LIMITS, side=PREPARE.resize))
        assert np.abs(turned - PREPARE(upright)).mean() * 255 < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_colour_modes(mode: str) -> None:
    image = Image.new("I;16", (300, 400), 30_000) if mode == "I;16" else scene(300, 400).convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    assert PREPARE(read_photo(encoded(image, kind), limits=LIMITS, side=PREPARE.resize)).shape == (3, 64, 64)


def test_a_jpeg_with_previews_is_one_photo() -> None:
    """Phones add a second picture to their JPEGs (MPO)."""
    frames = [Image.new("RGB", (60, 60), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    pixels = PREPARE(read_photo(data, limits=LIMITS, side=72))
    assert pixels[0].mean() > 0.9 > 0.1 > pixels[2].mean()


SEEDS = [encoded(scene(40, 30), kind) for kind in ("JPEG", "PNG", "WEBP")]


@given(
    seed=st.sampled_from(SEEDS),
    start=st.floats(0, 1),
    noise=st.binary(max_size=40),
    cut=st.floats(0.05, 1),
)
@settings(max_examples=300, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_refused_or_decoded(seed: bytes, start: float, noise: bytes, cut: float) -> None:
    at = int(start * len(seed))
    data = (seed[:at] + noise + seed[at + len(noise) :])[: int(cut * len(seed))]
    with contextlib.suppress(PhotoRefused):  # anything else that is raised fails the test
        assert min(read_photo(data, limits=LIMITS, side=72).size) >= 1


@given(data=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(PhotoRefused):
        read_photo(data, limits=LIMITS, side=72)
