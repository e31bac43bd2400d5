"""Photos decoded once: the right pixels, made atomically, made again when something changed."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duet_core.benchmarks import BenchmarkError, PhotoCache
from duet_core.runtime.preprocess import load_rgb, resize_crop

ORIENTATION = 0x0112


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Three photos: landscape, portrait, and one whose EXIF says it lies on its side."""
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(paths[0])
    Image.fromarray(noise.transpose(1, 0, 2)).save(paths[1])
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    left_dark = np.zeros((40, 40, 3), dtype=np.uint8)
    left_dark[:, 20:] = 255
    Image.fromarray(left_dark).save(paths[2], exif=exif)
    return paths


def test_pixels_are_those_of_the_service(photos: list[Path], tmp_path: Path) -> None:
    pixels = PhotoCache(photos, 16, tmp_path / "cache").open()
    assert pixels.shape == (3, 16, 16, 3)
    assert pixels.dtype == np.uint8
    assert not pixels.flags.writeable
    for path, picture in zip(photos, pixels, strict=True):
        np.testing.assert_array_equal(picture, np.asarray(resize_crop(load_rgb(path), resize=16, size=16)))
    assert pixels[2, 2].mean() < 50 < 200 < pixels[2, 13].mean()  # turned upright: dark above, light below


def test_made_once_and_reported(photos: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = PhotoCache(photos, 8, tmp_path / "cache")
    with caplog.at_level(logging.INFO):
        first = cache.open()
    assert "3 of 3 photos (100%), 0 s left" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        np.testing.assert_array_equal(first, cache.open())
    assert not caplog.text
    assert [path.name for path in cache.directory.iterdir()] == [cache.file.name]


def test_file_changes_with_photos_side_and_order(photos: list[Path], tmp_path: Path) -> None:
    files = {
        PhotoCache(photos, 8, tmp_path).file,
        PhotoCache(photos, 9, tmp_path).file,
        PhotoCache(photos[::-1], 8, tmp_path).file,
        PhotoCache(photos[:2], 8, tmp_path).file,
    }
    os.utime(photos[0], (1, 1))
    assert len({*files, PhotoCache(photos, 8, tmp_path).file}) == 5


def test_one_photo_by_two_paths_has_one_file(photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos[0].parent)
    roundabout = [tmp_path / "link" / ".." / photo.parent.name / photo.name for photo in photos]
    linked = [tmp_path / "link" / photo.name for photo in photos]
    straight = PhotoCache(photos, side=16).file
    assert [PhotoCache(paths, side=16).file for paths in (roundabout, linked)] == [straight, straight]


def test_broken_photo_is_named_and_nothing_left(photos: list[Path], tmp_path: Path) -> None:
    photos[1].write_bytes(photos[1].read_bytes()[:200])
    cache = PhotoCache(photos, 8, tmp_path / "cache")
    with pytest.raises(BenchmarkError, match=r"1\.jpg: 1 problem found\n- photo cannot be read"):
        cache.open()
    assert not list(cache.directory.iterdir())


def test_no_photos_or_no_size_are_refused(photos: list[Path]) -> None:
    with pytest.raises(ValueError, match="side 0 and 3 photos"):
        PhotoCache(photos, 0)
    with pytest.raises(ValueError, match="side 8 and 0 photos"):
        PhotoCache([], 8)
