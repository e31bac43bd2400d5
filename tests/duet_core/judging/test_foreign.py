"""Foreign pictures: what is drawn here is the same every time; packages that are missing are named."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duet_core.judging import foreign


def test_pictures_of_packages_and_drawn_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins with the packages' layout; nothing is imported, so folders are enough."""
    images, data = tmp_path / "sklearn/datasets/images", tmp_path / "sklearn/datasets/data"
    for folder in (tmp_path / "skimage/data", images, data):
        folder.mkdir(parents=True)
    for package in ("skimage", "sklearn"):
        (tmp_path / package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    Image.new("RGB", (100, 80), "red").save(tmp_path / "skimage/data/cup.png")
    Image.new("RGB", (20, 20), "red").save(tmp_path / "skimage/data/too-small.png")
    Image.new("RGB", (200, 100), "blue").save(images / "house.jpg")
    np.save(tmp_path / "skimage/data/lfw_subset.npy", np.zeros((3, 25, 25)))
    with gzip.open(data / "digits.csv.gz", "wt") as stream:
        stream.write("\n".join([",".join(["3"] * 65)] * 4))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(foreign, "_package", lambda name: tmp_path / name)
    found = list(foreign.foreign_pictures())
    counts = {kind: sum(picture.kind == kind for picture in found) for kind in dict.fromkeys(p.kind for p in found)}
    assert counts == {"scikit-image": 6, "scikit-learn": 6, "digits": 4, "faces": 3, "drawn": 240}
    again = [picture.image.tobytes() for picture in foreign._drawn()]
    assert [picture.image.tobytes() for picture in found if picture.kind == "drawn"] == again
    assert len(set(again)) == len(again)


def test_a_missing_package_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_package is not installed"):
        foreign._package("no_such_package")
