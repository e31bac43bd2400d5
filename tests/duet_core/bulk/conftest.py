"""Fixtures of the tests of bulk work: the tiny bundle, and folders of photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.conftest import tiny_bundle
from tests.tiny_bundle import picture_bytes

__all__ = ["tiny_bundle"]

COLOURS = ("red", "blue", "green", "white", "#804020", "#208040", "#aa00ff")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """23 photos in three folders, among them six that are none or broken, and two files that are not named like one."""
    folder = tmp_path / "photos"
    for number in range(17):
        file = folder / ("", "b", "a/deep")[number % 3] / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture_bytes(COLOURS[number % 7], COLOURS[number % 5]))
    whole = picture_bytes("red")
    (folder / "b" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "b" / "empty.jpg").write_bytes(b"")
    (folder / "b" / "long.png").write_bytes(whole + bytes(70_000))
    (folder / "b" / "text.webp").write_text("not a photo")
    (folder / "b" / "away.jpg").symlink_to("nowhere")
    (folder / "b" / "folder.jpg").mkdir()
    (folder / "a" / "wide.png").write_bytes(picture_bytes("red", side=401))
    (folder / "notes.txt").write_text("no photo")
    (folder / "b" / "Thumbs.db").write_bytes(b"no photo")
    (folder / ".hidden.png").write_bytes(whole)
    return folder


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """240 photos, each slow enough that a job takes a second or two."""
    folder = tmp_path / "many"
    folder.mkdir()
    colours = ("red", "blue", "green", "white")
    data = [picture_bytes(colours[n % 4], colours[n // 4], side=900) for n in range(16)]
    for number in range(240):
        (folder / f"{number:04}.png").write_bytes(data[number % 16] if number % 9 else b"broken")
    return folder
