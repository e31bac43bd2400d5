"""Whole photos and their boxes: found by matching, remembered, and only those asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from duet_core.benchmarks import Benchmark, load_xlsa17
from duet_core.finding.pairs import find_pairs
from tests.bird_benchmark import write_bird_benchmark
from tests.duet_core.finding.whole_scenes import BOX, SCENE, clouds, write_scene, write_scenes
from tests.steps import finished


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return load_xlsa17(write_bird_benchmark(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def scenes(benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole photos of three trained crops of each seen class."""
    rows = [row for row in benchmark.trainval if int(benchmark.image_paths[row].stem) < 3]
    return write_scenes(tmp_path_factory.mktemp("whole"), benchmark, rows)


def test_boxes_are_found_once(benchmark: Benchmark, scenes: Path, tmp_path: Path) -> None:
    lines, pairs = finished(find_pairs(scenes, benchmark, benchmark.trainval, cache=tmp_path))
    assert lines[-1].startswith("boxes found in 12 of 12 whole photos")
    expected = np.array(BOX) / np.array(SCENE * 2)
    np.testing.assert_allclose(pairs.boxes, np.tile(expected, (12, 1)), atol=0.02)
    assert [benchmark.image_paths[row].parts[-2:] for row in pairs.rows] == [file.parts[-2:] for file in pairs.files]
    again, same = finished(find_pairs(scenes, benchmark, benchmark.trainval, cache=tmp_path))
    assert again == []
    np.testing.assert_array_equal(same.boxes, pairs.boxes)


def test_an_interrupted_search_goes_on(benchmark: Benchmark, scenes: Path, tmp_path: Path) -> None:
    _, pairs = finished(find_pairs(scenes, benchmark, benchmark.trainval, cache=tmp_path))
    (known,) = tmp_path.iterdir()
    lines = known.read_bytes().splitlines(keepends=True)
    known.write_bytes(b"".join(lines[:5]) + lines[5][:20])
    told, same = finished(find_pairs(scenes, benchmark, benchmark.trainval, cache=tmp_path))
    assert told[-1].startswith("boxes found in 7 of 7")
    np.testing.assert_array_equal(same.boxes, pairs.boxes)


def test_a_changed_photo_is_looked_at_again(benchmark: Benchmark, scenes: Path, tmp_path: Path) -> None:
    one = benchmark.trainval[:1]
    finished(find_pairs(scenes, benchmark, one, cache=tmp_path))
    file = scenes.joinpath(*benchmark.image_paths[one[0]].parts[-2:])
    file.touch()
    lines, _ = finished(find_pairs(scenes, benchmark, one, cache=tmp_path))
    assert lines[-1].startswith("boxes found in 1 of 1")


def test_only_photos_of_rows_asked_for(benchmark: Benchmark, scenes: Path, tmp_path: Path) -> None:
    some = benchmark.trainval[:8]
    _, pairs = finished(find_pairs(scenes, benchmark, some, cache=tmp_path))
    assert set(pairs.rows) <= set(some)
    assert len(pairs) == 3
    half = pairs.among(pairs.rows[:1])
    assert half.files == pairs.files[:1]
    with pytest.raises(ValueError, match="none of its photos"):
        finished(find_pairs(scenes, benchmark, benchmark.test_seen, cache=tmp_path))


def test_a_crop_of_another_picture_is_left_out(benchmark: Benchmark, tmp_path: Path) -> None:
    rows, noise = benchmark.trainval[3:5], np.random.default_rng(5)
    for row in rows:
        write_scene(tmp_path / "whole", benchmark.image_paths[row], noise)
    clouds(noise, (90, 90)).save(benchmark.image_paths[rows[1]])
    _, pairs = finished(find_pairs(tmp_path / "whole", benchmark, rows, cache=tmp_path / "cache"))
    assert list(pairs.rows) == [rows[0]]
