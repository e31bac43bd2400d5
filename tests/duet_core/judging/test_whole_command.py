"""`duet whole` from end to end, and the views of a photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duet_core.benchmarks import load_xlsa17
from duet_core.commands import whole
from duet_core.judging.whole_views import WAYS, centre_square, held_out_whole, mean_of, stretched, surest_of, windows
from duet_core.runtime import open_bundle
from tests.bird_benchmark import write_bird_benchmark, write_bird_bundle

SCENE = (340, 256)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bird_benchmark(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bird_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="module")
def scenes(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every photo of a seen class, trained on or held out, in the middle of a grey, noisy scene."""
    generator, folder = np.random.default_rng(1), tmp_path_factory.mktemp("whole")
    benchmark = load_xlsa17(data)
    for row in (*benchmark.trainval, *benchmark.test_seen):
        file = benchmark.image_paths[row]
        (folder / file.parent.name).mkdir(exist_ok=True)
        scene = Image.fromarray(generator.integers(60, 120, (SCENE[1], SCENE[0], 3)).astype(np.uint8))
        scene.paste(Image.open(file).resize((150, 150)), (95, 53))
        scene.save(folder / file.parent.name / file.name, quality=97)
    return folder


def test_every_way_is_judged_on_held_out_photos_alone(data: Path, bundle: Path, scenes: Path) -> None:
    lines = "\n".join(whole.run(data, scenes, bundle=bundle, split="test")).splitlines()
    assert lines[0].endswith("test: 48 whole photos of 4 seen classes")
    rows = {cells[1]: cells[2:6] for cells in ([part.strip() for part in line.split("|")] for line in lines[3:])}
    assert list(rows) == ["the bird's box", *(way.name for way in WAYS)]
    assert [int(cells[0]) for cells in rows.values()] == [1, 1, 1, 1, 2, 3, 3, 6, 6]
    among_seen = {name: float(cells[2]) for name, cells in rows.items()}
    assert among_seen["the bird's box"] > 90
    assert among_seen["central square of 0.75"] >= among_seen["stretched to a square"]


def test_photos_that_were_trained_on_are_left_out(data: Path, scenes: Path) -> None:
    benchmark = load_xlsa17(data)
    split = benchmark.test_split()
    found = held_out_whole(scenes, benchmark, split)
    assert sorted(row for _, row in found) == sorted(split.seen_eval)
    for file, row in found:
        assert (file.parent.name, file.name) == benchmark.image_paths[row].parts[-2:]


def test_a_folder_without_held_out_photos_is_refused(data: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none of its photos"):
        list(whole.run(data, tmp_path, bundle=bundle, split="test"))


def test_a_bundle_of_another_split_is_refused(data: Path, bundle: Path, scenes: Path) -> None:
    with pytest.raises(ValueError, match="was trained on 32 photos"):
        list(whole.run(data, scenes, bundle=bundle))


def test_views_are_cut_where_they_say() -> None:
    x = np.tile(np.arange(SCENE[0], dtype=np.int64) % 256, (SCENE[1], 1))
    image = Image.fromarray(np.stack([x, x, x], axis=2).astype(np.uint8))
    half = np.asarray(centre_square(image, 0.5))
    assert half.shape == (128, 128, 3)
    assert half[0, 0, 0] == (SCENE[0] - 128) // 2
    assert stretched(image)[0].size == (340, 340)
    assert [view.size for view in windows(image)] == [(256, 256)] + 5 * [(179, 179)]


def test_the_mean_and_the_surest_of_views(bundle: Path) -> None:
    opened = open_bundle(bundle)
    z = opened.classes.z
    other = z[1] - (z[1] @ opened.evidence.mean) * opened.evidence.mean
    v = np.stack([5 * opened.evidence.mean - other, 0.1 * z[0]]).astype(np.float32)  # the second is short, and class 0
    np.testing.assert_array_equal(surest_of(v, opened), v[1])
    np.testing.assert_allclose(mean_of(v, opened), (v[0] + v[1]) / 2, rtol=1e-6)
