"""Your own folder as a benchmark, and the report on one with every mistake there can be."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from duet_core.benchmarks import BenchmarkError, load_image_folder, open_benchmark
from duet_core.benchmarks.checking import check_benchmark
from duet_core.benchmarks.folder_reading import is_own_folder
from duet_core.config import DataConfig
from tests.duet_core.benchmarks import tiny_folder


def test_the_benchmark_of_a_folder_has_its_photos_classes_and_folds(tmp_path: Path) -> None:
    root = tiny_folder.write(tmp_path / "own")
    benchmark = open_benchmark(DataConfig(root=str(root), layout="folder"))
    assert benchmark.name == "own"
    assert benchmark.classes.names == tiny_folder.CLASSES
    assert benchmark.schema.keys == ("color: red", "color: blue", "shape: ball", "shape: box", "shape: cone")
    assert benchmark.classes.raw[4].tolist() == [0, 1, 0, 1, 0]
    for path, label in zip(benchmark.image_paths, benchmark.labels, strict=True):
        assert path.parent.name == benchmark.classes.names[label]
    parts = np.concatenate([benchmark.trainval, benchmark.test_seen, benchmark.test_unseen])
    np.testing.assert_array_equal(np.sort(parts), np.arange(42))
    np.testing.assert_array_equal(np.sort(np.concatenate([benchmark.train, benchmark.val])), benchmark.trainval)
    assert not set(benchmark.labels[benchmark.train]) & set(benchmark.labels[benchmark.val])
    assert not set(benchmark.labels[benchmark.trainval]) & set(benchmark.labels[benchmark.test_unseen])
    seen = np.unique(benchmark.labels[benchmark.trainval])
    np.testing.assert_array_equal(np.flatnonzero(benchmark.classes.seen), seen)
    assert len(benchmark.validation_split().seen_classes) == 3
    assert len(benchmark.test_split().unseen_classes) == 2


def test_photos_may_lie_elsewhere_and_names_may_be_written_in_any_script(tmp_path: Path) -> None:
    green, names = "grüner Würfel", ("红球", "ёж", "a, b", "no")
    attributes = "prompts: {c: [x, y], d: [u, v]}\nclasses:\n"
    described = ("{c: x}", "{c: y}", "{d: u}", "{c: x, d: u}", "{c: y, d: u}")
    for number, (name, own) in enumerate(zip((green, *names), described, strict=True)):
        attributes += f"  {name!r}: {own}\n"
        for photo in range(6):
            apart = unicodedata.normalize("NFD", name)  # as some file systems give names back
            tiny_folder.add_photo(tmp_path / "photos", apart, f"Bild é {photo}.PNG", seed=10 * number + photo)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "attributes.yaml").write_text(attributes.replace("d: [u, v]", "d: [u]"), encoding="utf-8")
    (tmp_path / "photos" / "images" / ".DS_Store").write_text("")
    (tmp_path / "photos" / "images" / "no" / ".hidden.png").write_text("")
    benchmark = load_image_folder(tmp_path / "own", tmp_path / "photos" / "images")
    assert benchmark.classes.names == (green, *names)
    assert len(benchmark.image_paths) == 30
    again = load_image_folder(tmp_path / "own", tmp_path / "photos" / "images")
    np.testing.assert_array_equal(again.test_unseen, benchmark.test_unseen)


def test_a_described_class_without_photos_is_left_out_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    more = "  red pipe: {color: red, shape: [ball, box]}\n"
    benchmark = load_image_folder(tiny_folder.write(tmp_path / "own", tiny_folder.ATTRIBUTES + more))
    assert benchmark.classes.names == tiny_folder.CLASSES
    assert "attributes.yaml:11:3: class 'red pipe' has no photos and is left out of the training" in caplog.text


def test_a_folder_without_mistakes_can_be_trained_on_and_nothing_is_written(tmp_path: Path) -> None:
    root = tiny_folder.write(tmp_path / "own")
    before = sorted(path.name for path in root.iterdir())
    report = check_benchmark(root, decode=True)
    assert report.is_usable
    assert [check.state for check in report.checks] == ["ok"] * 5
    assert "no splits.yaml: the first training draws it with seed 0" in report.text()
    assert report.text().endswith("can be trained on")
    assert sorted(path.name for path in root.iterdir()) == before


def _spoil(root: Path) -> None:
    images = root / "images"
    (images / "blue boks").mkdir()
    for photo in (images / "blue box").iterdir():
        photo.rename(images / "blue boks" / photo.name)
    shutil.copy(images / "red ball" / "0.png", images / "red box" / "same.png")
    (images / "red cone" / "2.png").write_bytes(b"no photo")
    whole = (images / "red cone" / "3.png").read_bytes()
    (images / "red cone" / "3.png").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (20, 200)).save(images / "blue cone" / "thin.png")
    for number in range(3):
        (images / "blue ball" / f"{number}.png").unlink()
    (images / "blue ball" / "notes.txt").write_text("")
    (images / "stray.jpg").write_text("")
    (root / "attributes.yaml").write_text(
        tiny_folder.ATTRIBUTES.replace("[ball, box, cone]", "[ball, box, cone, ring]").replace(
            "red cone: {color: red, shape: cone}", "red cone: {color: red, shape: box}"
        )
    )


SPOILED = (
    "images/blue boks/: class 'blue boks' is not described; did you mean 'blue box' (attributes.yaml:9:3)?",
    "images/red box/same.png: the same photo as images/red ball/0.png, of another class",
    "images/red cone/2.png: not a readable JPEG, PNG or WebP photo",
    "images/red cone/3.png: The image cannot be decoded",
    "images/blue cone/thin.png: 20 x 200 pixels; at least 32 are needed on each side",
    "images/blue ball/: 4 photos; 6 are needed to learn a class",
    "attributes.yaml:3:28: no class has 'shape: ring'; give it to a class or take it out",
    "attributes.yaml:7:3: class 'red cone' has the attributes of 'red box' at attributes.yaml:6:3",
    "note: images/stray.jpg: left out, it lies in no class's folder",
    "note: images/blue ball: left out notes.txt; photos are files ending in",
    "note: attributes.yaml:9:3: class 'blue box' has no photos",
)


def test_the_report_lists_every_mistake_at_once_with_its_place(tmp_path: Path) -> None:
    root = tiny_folder.write(tmp_path / "own")
    _spoil(root)
    report = check_benchmark(root, decode=True)
    assert not report.is_usable
    text = report.text()
    assert [line for line in SPOILED if not any(said.startswith(line) for said in text.splitlines())] == [], text
    assert text.endswith(
        "cannot be trained on yet: photos, photo files, decoded, same photo in two classes, attributes"
    )
    quick = check_benchmark(root).text()
    assert "3.png" not in quick
    assert "2.png: not a readable" in quick
    with pytest.raises(BenchmarkError, match="shape: ring"):
        load_image_folder(root)
    assert not (root / "splits.yaml").exists()


def test_the_same_photo_to_learn_from_and_to_judge_with_is_found(tmp_path: Path) -> None:
    root = tiny_folder.write(tmp_path / "own")
    load_image_folder(root)
    text = (root / "splits.yaml").read_text()
    train, _, test = text.partition("\ntest:")
    seen = next(name for name in tiny_folder.CLASSES if f"  {name}: [" in train)
    judged = next(line for line in test.splitlines() if line.startswith(f"  {seen}: ")).split("[")[1].rstrip("]")
    learned = next(f"{number}.png" for number in range(7) if f"{number}.png" != judged)
    shutil.copy(root / "images" / seen / judged, root / "images" / seen / learned)
    report = check_benchmark(root).text()
    assert f"test photo {seen}/{judged} is byte for byte {seen}/{learned} of train" in report


def test_too_few_classes_and_no_photos_are_told(tmp_path: Path) -> None:
    assert "images/: no such folder" in _problems(tmp_path)
    root = tiny_folder.write(tmp_path / "own")
    for name in tiny_folder.CLASSES[3:]:
        shutil.rmtree(root / "images" / name)
    assert "3 classes with photos and a description; at least 4 are needed" in _problems(root)
    (root / "attributes.csv").write_text("class,c: x\n")
    assert "attributes.csv: lies beside attributes.yaml; remove one of the two" in _problems(root)


def _problems(root: Path) -> str:
    with pytest.raises(BenchmarkError) as raised:
        load_image_folder(root)
    return "\n".join(raised.value.problems)


def test_official_folders_are_not_taken_for_ones_own(tmp_path: Path) -> None:
    assert is_own_folder(tiny_folder.write(tmp_path / "own"))
    (tmp_path / "cub" / "images").mkdir(parents=True)
    assert is_own_folder(tmp_path / "cub")
    (tmp_path / "cub" / "attributes.txt").write_text("")
    assert not is_own_folder(tmp_path / "cub")


@pytest.mark.slow
@pytest.mark.data
def test_real_photos_of_birds(tmp_path: Path, shared_data: Path) -> None:
    """Eight species, eight photos each, told apart by invented attributes: photos as people have them."""
    source = shared_data / "CUB-photos"
    if not source.is_dir():
        pytest.skip("no CUB-photos in the data folder")
    lines = ["prompts:", "  a: [x, y]", "  b: [x, y]", "  c: [x, y]", "classes:"]
    for number, species in enumerate(sorted(path for path in source.iterdir() if path.is_dir())[:8]):
        folder = tmp_path / "birds" / "images" / species.name
        folder.mkdir(parents=True)
        for photo in sorted(species.glob("*.jpg"))[:8]:
            (folder / photo.name).symlink_to(photo)
        bits = ("xy"[number >> shift & 1] for shift in range(3))
        lines.append(f"  {species.name}: {{{', '.join(f'{p}: {v}' for p, v in zip('abc', bits, strict=True))}}}")
    (tmp_path / "birds" / "attributes.yaml").write_text("\n".join(lines) + "\n")
    report = check_benchmark(tmp_path / "birds", decode=True)
    assert report.is_usable, report.text()
    assert len(load_image_folder(tmp_path / "birds").image_paths) == 64
