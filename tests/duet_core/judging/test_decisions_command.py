"""`duet decisions` and `duet maps` from end to end, on a benchmark of the tiny bundle's birds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duet_core.commands import decisions, maps
from duet_core.judging.foreign import ForeignPicture
from tests.bird_benchmark import write_bird_benchmark, write_bird_bundle


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The xlsa17 folder: four seen and two unseen classes, photos with noise."""
    return write_bird_benchmark(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bird_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture
def whole(data: Path, tmp_path: Path) -> Path:
    """Whole photos: the crop of the same name pasted off centre into a grey, noisy scene."""
    generator = np.random.default_rng(1)
    for folder in sorted((data / "images").iterdir())[:2]:
        (tmp_path / folder.name).mkdir()
        for file in sorted(folder.iterdir())[:3]:
            scene = Image.fromarray(generator.integers(60, 120, (256, 340, 3)).astype(np.uint8))
            scene.paste(Image.open(file).resize((90, 80)), (220, 20))
            scene.save(tmp_path / folder.name / file.name, quality=97)
    return tmp_path


def pictures() -> Iterator[ForeignPicture]:
    generator = np.random.default_rng(2)
    for number in range(16):
        yield ForeignPicture("grey", str(number), Image.new("L", (40, 40), int(generator.integers(20, 230))))


def test_all_tables_are_printed(
    data: Path, bundle: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "foreign_pictures", pictures)
    svg = tmp_path / "curves.svg"
    text = "\n".join(decisions.run(data, bundle=bundle, whole=whole, photos=6, svg=svg))
    assert "48 photos of seen classes, 48 of unseen ones" in text
    for title in (
        "Evidence, AUROC on the half",
        "on the other half",
        "Refused by",
        "Probabilities, γ",
        "Sets by margin",
    ):
        assert title in text, title
    accuracy = {row[0]: float(row[2]) for row in _rows(text, "photos of classes | number")}
    assert accuracy["seen"] > 0.9
    refused = {row[0]: float(row[3]) for row in _rows(text, "pictures | number")}
    assert refused["grey"] > 0.8
    assert refused["scenery"] > 0.8
    assert refused["photos of seen classes (wrongly)"] < 0.3
    assert svg.read_text().count("<polyline") == 6


def _rows(text: str, head: str) -> list[list[str]]:
    """The cells of the first table with this head."""
    lines = text[text.index(f"| {head}") :].split("\n\n")[0].splitlines()
    return [re.split(r" *\| *", line.strip("| ")) for line in lines[2:] if line.startswith("|")]


def test_a_bundle_of_another_split_is_refused(data: Path, bundle: Path) -> None:
    with pytest.raises(ValueError, match="was trained on 32 photos, split 'validation' trains on"):
        list(decisions.run(data, bundle=bundle, split="validation"))


def test_maps_point_at_the_bird_where_the_centre_does_not(data: Path, bundle: Path, whole: Path) -> None:
    text = "\n".join(maps.run(data, whole, bundle=bundle, photos=6))
    moved = text[text.index("off centre") :]
    rows = {row[0]: row[1:] for row in _rows(moved, "map | hits")}
    assert float(rows["centre"][0]) < 0.5
    assert float(rows["occlusion, patch 1/3, 5 x 5"][0]) >= 2 / 3
