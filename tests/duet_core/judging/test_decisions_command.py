"""`duet decisions` and `duet maps` from end to end, on a benchmark of the tiny bundle's birds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from duet_core.commands import decisions, maps
from duet_core.judging.foreign import ForeignPicture
from tests.tiny_bundle import ALL_BLUE, SCHEMA, SEEN, degrees, picture, write_manifest, write_tiny_bundle

GREEN_WING = {"wing color: green": 1.0, "crown color: blue": 1.0, "size: small": 0.4, "wing pattern: solid": 0.4}
CLASSES = {**SEEN, "all-blue": ALL_BLUE, "blue-crown": GREEN_WING}
COLOURS = (("red", "red"), ("green", "green"), ("red", "blue"), ("red", "green"), ("blue", "blue"), ("blue", "green"))
"""Crown and wing of each class."""
TRAIN, TEST_SEEN, TEST_UNSEEN = 8, 12, 24


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The xlsa17 folder: four seen and two unseen classes, photos with noise."""
    root, generator = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    names = [f"{row:03d}.{name}" for row, name in enumerate(CLASSES, start=1)]
    labels, files, part = [], [], []
    for row, name in enumerate(names):
        (root / "images" / name).mkdir(parents=True)
        kinds = ["trainval"] * TRAIN + ["test_seen"] * TEST_SEEN if row < len(SEEN) else ["test_unseen"] * TEST_UNSEEN
        for number, kind in enumerate(kinds):
            values = np.asarray(picture(*COLOURS[row]), dtype=np.float64) * 0.7 + generator.uniform(0, 76, (48, 48, 3))
            Image.fromarray(values.astype(np.uint8)).save(root / "images" / name / f"{number}.jpg", quality=95)
            labels.append(row)
            files.append(f"/x/images/{name}/{number}.jpg")
            part.append(kind)
    kinds_of, label = np.array(part), np.array(labels)
    original = np.stack([degrees(given) for given in CLASSES.values()]).astype(np.float64).T
    is_val = np.isin(label, (2, 3))

    def loc(mask: np.ndarray) -> np.ndarray:
        return (np.flatnonzero(mask) + 1)[:, None].astype(np.uint16)

    trainval = kinds_of == "trainval"
    scipy.io.savemat(
        root / "res101.mat",
        {"labels": (label + 1)[:, None].astype(np.uint8), "image_files": np.array(files, dtype=object)[:, None]},
    )
    scipy.io.savemat(
        root / "att_splits.mat",
        {
            "allclasses_names": np.array(names, dtype=object)[:, None],
            "att": original / np.linalg.norm(original, axis=0),
            "original_att": original,
            "trainval_loc": loc(trainval),
            "test_seen_loc": loc(kinds_of == "test_seen"),
            "test_unseen_loc": loc(kinds_of == "test_unseen"),
            "train_loc": loc(trainval & ~is_val),
            "val_loc": loc(trainval & is_val),
        },
    )
    (root / "allclasses.txt").write_text("\n".join(names) + "\n")
    lines = [f"{n} has_{a.prompt.replace(' ', '_')}::{a.name}" for n, a in enumerate(SCHEMA.attributes, start=1)]
    (root / "attributes.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")
    write_manifest(folder, training={"photos": TRAIN * len(SEEN)})
    return folder


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
