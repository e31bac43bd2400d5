"""Photos of every kind become the same pixels everywhere."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from duet_core.runtime.photo_parts import PhotoError
from duet_core.runtime.preprocess import (
    Preprocessing,
    load_rgb,
    pixels_sha256,
    resize_crop,
    to_pixels,
    to_rgb,
)

IMAGENET = Preprocessing(size=192, resize=219, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def pattern(width: int, height: int) -> Image.Image:
    """A picture whose every pixel is known: waves of different length in each channel."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [(x * 3 + y * 5) % 256, (x * 7) % 256, (y * 11 + x) % 256]
    return Image.fromarray(np.stack(channels, axis=2).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("width", "height", "checksum"),
    [
        (500, 375, "314a316c7cb100b0"),
        (192, 256, "7407a9cb67f77e67"),
        (64, 48, "8d1d29712988e1ab"),
    ],
)
def test_pixels_are_the_same_bits_as_when_the_test_was_written(width: int, height: int, checksum: str) -> None:
    """A change here changes what every trained model sees: export and train again, or undo it."""
    assert pixels_sha256(IMAGENET(pattern(width, height)))[:16] == checksum


def test_pixels_follow_the_formula() -> None:
    image = pattern(4, 4)
    pixels = to_pixels(image, mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0))
    expected = (np.asarray(image) / 255 - np.array([0.1, 0.2, 0.3])) / np.array([0.5, 1.0, 2.0])
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, expected.transpose(2, 0, 1), atol=1e-6)


def test_crop_is_the_centre_and_resize_the_short_side() -> None:
    image = Image.new("RGB", (300, 100), "black")
    image.paste("white", (100, 0, 200, 100))  # the central square
    assert np.asarray(resize_crop(image, resize=100, size=100)).min() == 255
    assert resize_crop(image, resize=50, size=40).size == (40, 40)


@settings(max_examples=40, deadline=None)
@given(width=st.integers(1, 120), height=st.integers(1, 120))
def test_every_size_gives_a_full_square(width: int, height: int) -> None:
    small = Preprocessing(size=20, resize=23, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    image = Image.new("RGB", (width, height), (255, 0, 0))
    if max(width, height) > 50 * min(width, height):
        with pytest.raises(PhotoError, match="at most 50 times"):
            small(image)
        return
    pixels = small(image)
    assert pixels.shape == (3, 20, 20)
    assert np.all(pixels[0] == 1)
    assert np.all(pixels[1:] == -1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "I;16"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    if mode in ("I", "I;16"):
        grey = np.full((6, 8), 0x80FF, dtype=np.uint16 if mode == "I;16" else np.int32)
        image = Image.fromarray(grey)
    else:
        image = Image.new("RGB", (8, 6), (128, 128, 128)).convert("RGBA").convert(mode)
    assert image.mode == mode
    rgb = to_rgb(image)
    assert (rgb.mode, rgb.size) == ("RGB", (8, 6))
    assert mode == "1" or np.abs(np.asarray(rgb).astype(int) - 128).max() <= 2


def test_transparency_is_laid_over_white() -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 255))
    rgb = to_rgb(image)
    assert [rgb.getpixel((0, 0)), rgb.getpixel((1, 0))] == [(255, 255, 255), (255, 0, 0)]


def test_palette_with_a_transparent_colour_is_laid_over_white() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    rgb = load_rgb(encoded(palette, transparency=0))
    assert [rgb.getpixel((0, 0)), rgb.getpixel((1, 0))] == [(255, 255, 255), (0, 0, 255)]


def test_exif_orientation_is_applied() -> None:
    image = Image.new("RGB", (40, 20), "blue")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter clockwise to be upright
    assert load_rgb(encoded(image, "JPEG", exif=exif)).size == (20, 40)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_bytes_and_files_are_read_alike(kind: str, tmp_path: Path) -> None:
    data = encoded(pattern(30, 20), kind)
    (tmp_path / "photo").write_bytes(data)
    assert load_rgb(data).tobytes() == load_rgb(tmp_path / "photo").tobytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a JPEG, PNG or WebP"),
        (b"hello", "not a JPEG, PNG or WebP"),
        (encoded(pattern(60, 60))[:200], "cannot be decoded"),
        (encoded(pattern(60, 60), "JPEG")[:400], "cannot be decoded|not a JPEG"),
        (encoded(pattern(6, 6), "GIF"), "not a JPEG, PNG or WebP"),
    ],
)
def test_what_is_no_photo_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(PhotoError, match=message):
        load_rgb(data)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"nowhere\.jpg: no such file"):
        load_rgb(tmp_path / "nowhere.jpg")


def test_a_bomb_is_refused_from_its_header() -> None:
    with pytest.raises(PhotoError, match="at most"):
        load_rgb(encoded(Image.new("1", (10_000, 9_000))))


def test_floating_point_pictures_are_refused() -> None:
    with pytest.raises(PhotoError, match="colour mode 'F'"):
        to_rgb(Image.new("F", (3, 3)))


def test_preprocessing_survives_json() -> None:
    for preprocessing in (IMAGENET, dataclasses.replace(IMAGENET, interpolation="bilinear")):
        assert Preprocessing.from_json(preprocessing.to_json()) == preprocessing


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 300}, "size 300, resize 219"),
        ({"interpolation": "nearest"}, "allowed are bicubic, bilinear"),
        ({"std": [0.0, 1.0, 1.0]}, "above 0"),
        ({"mean": [0.0, 1.0]}, "three finite numbers"),
    ],
)
def test_impossible_preprocessing_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing.from_json(IMAGENET.to_json() | change)
