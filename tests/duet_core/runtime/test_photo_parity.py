"""Training and service see the same pixels of the same file, and they are those of the day this test was written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duet_core.benchmarks import PhotoCache
from duet_core.runtime import Preprocessing
from duet_core.runtime.photos import PhotoLimits, photo_pixels
from duet_core.runtime.preprocess import to_pixels
from tests.app.engine.photo_bytes import app_exif, app_profile, chunk, encoded, exif, iccp, jpeg, rgb_profile

SIZE, RESIZE = 64, 72
PREPARE = Preprocessing(size=SIZE, resize=RESIZE, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
LIMITS = PhotoLimits(pixels=25_000_000, side=10_000, aspect=50)


def waves(width: int, height: int) -> Image.Image:
    """A picture whose every pixel is known: waves of different length in each channel."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [(x * 3 + y * 5) % 256, (x * 7) % 256, (y * 11 + x) % 256]
    return Image.fromarray(np.stack(channels, axis=2).astype(np.uint8))


def clear(width: int, height: int) -> Image.Image:
    """The same, ever clearer to the right."""
    image = waves(width, height)
    image.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))))
    return image


def png_with(extra: bytes, image: Image.Image) -> bytes:
    data = encoded(image, "PNG")
    return data[:33] + extra + data[33:]


PHOTOS: dict[str, Callable[[], bytes]] = {
    "small JPEG": lambda: encoded(waves(100, 80), "JPEG"),
    "large JPEG": lambda: encoded(waves(1000, 700), "JPEG"),
    "progressive JPEG": lambda: encoded(waves(500, 400), "JPEG", progressive=True),
    "turned JPEG": lambda: jpeg(app_exif(exif(6)), image=waves(640, 480)),
    "JPEG in Adobe RGB": lambda: jpeg(app_profile(rgb_profile("adobe-rgb")), image=waves(200, 150)),
    "large turned JPEG in Display P3": lambda: jpeg(
        app_exif(exif(8)), app_profile(rgb_profile("display-p3")), image=waves(900, 1200)
    ),
    "CMYK JPEG": lambda: encoded(waves(320, 200).convert("CMYK"), "JPEG"),
    "grey JPEG": lambda: encoded(waves(320, 200).convert("L"), "JPEG"),
    "PNG": lambda: encoded(waves(128, 96), "PNG"),
    "large PNG": lambda: encoded(waves(700, 500), "PNG"),
    "large clear PNG": lambda: encoded(clear(700, 500), "PNG"),
    "clear PNG": lambda: encoded(clear(90, 110), "PNG"),
    "turned PNG": lambda: png_with(chunk(b"eXIf", exif(5)), waves(128, 96)),
    "PNG in Display P3": lambda: png_with(iccp(rgb_profile("display-p3")), waves(128, 96)),
    "palette PNG": lambda: encoded(waves(400, 300).quantize(32), "PNG", transparency=3),
    "16-bit PNG": lambda: encoded(Image.fromarray(np.arange(300 * 400, dtype=np.uint16).reshape(300, 400)), "PNG"),
    "WebP": lambda: encoded(waves(300, 200), "WEBP"),
    "large clear WebP": lambda: encoded(clear(700, 500), "WEBP", lossless=True),
}

GOLDEN = {
    "PNG": "fd19cfcb31dc0bfb",
    "large PNG": "eaf3575684cd660d",
    "large clear PNG": "11dd0801039035fd",
    "clear PNG": "0afd7e95d3dad97e",
    "turned PNG": "167a8e396b2313a5",
    "palette PNG": "f1b1d07b671d2f5f",
    "16-bit PNG": "e4fc8ada7b0f0201",
    "large clear WebP": "11dd0801039035fd",
}
"""SHA-256 of the 64 x 64 pixels of lossless photos without a colour profile, which no decoder may round otherwise."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("photos")
    for name, make in PHOTOS.items():
        (folder / name).write_bytes(make())
    return {name: folder / name for name in PHOTOS}


def test_training_and_service_see_the_same_pixels(files: dict[str, Path], tmp_path: Path) -> None:
    paths = list(files.values())
    cached = PhotoCache(paths, side=SIZE, resize=RESIZE, directory=tmp_path).open()
    for path, square in zip(paths, cached, strict=True):
        trained_on = to_pixels(Image.fromarray(np.asarray(square)), mean=PREPARE.mean, std=PREPARE.std)
        served = photo_pixels(path.read_bytes(), prepare=PREPARE, limits=LIMITS, side=RESIZE)
        np.testing.assert_array_equal(served, trained_on, err_msg=path.name)


@pytest.mark.parametrize("name", GOLDEN)
def test_pixels_are_the_same_bits_as_when_the_test_was_written(name: str) -> None:
    """A change here changes what every trained model sees: export and train again, or undo it."""
    pixels = PREPARE.picture(photo_pixels(PHOTOS[name](), prepare=PREPARE, limits=LIMITS, side=RESIZE))
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == GOLDEN[name]
