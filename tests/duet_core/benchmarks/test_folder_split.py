"""The split of a folder of one's own: drawn by seed, kept, extended, and what contradicts it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.benchmarks import BenchmarkError
from duet_core.benchmarks.folder_draw import draw_classes, draw_photos
from duet_core.benchmarks.folder_reading import read_folder
from duet_core.benchmarks.folder_split import FolderSplit, read_split, write_split
from duet_core.benchmarks.image_folder import (
    draw_split,
    extended_split,
    identical_across,
    load_image_folder,
    unlearnable,
)
from tests.duet_core.benchmarks import tiny_folder


def split_of(root: Path) -> FolderSplit:
    split, mistakes = read_split(root / "splits.yaml")
    assert split is not None
    assert mistakes == []
    return split


def test_a_split_is_the_same_for_a_seed_and_comes_back_from_its_file(tmp_path: Path) -> None:
    root = tiny_folder.write(tmp_path / "own")
    drawn = draw_split(read_folder(root), seed=3)
    assert draw_split(read_folder(root), seed=3) == drawn
    assert draw_split(read_folder(root), seed=4) != drawn
    write_split(root, drawn)
    assert split_of(root) == drawn


def test_parts_of_a_split_are_disjoint_and_complete(tmp_path: Path) -> None:
    folder = read_folder(tiny_folder.write(tmp_path / "own"))
    for seed in range(5):
        split = draw_split(folder, seed=seed)
        assert (len(split.unseen), len(split.validation)) == (2, 1)
        assert not set(split.unseen) & {*split.validation, *split.train}
        for name in tiny_folder.CLASSES:
            train, test = set(split.train.get(name, ())), set(split.test[name])
            assert not train & test
            assert train | test == set(folder.photos.files[name])
            assert len(test) == (7 if name in split.unseen else 1)
        assert unlearnable(folder, split) == []


@given(st.integers(0, 1000), st.integers(2, 9), st.integers(1, 6), st.data())
@settings(deadline=None, max_examples=60)
def test_classes_held_out_leave_their_attributes_to_others_where_that_can_be(
    seed: int, classes: int, attributes: int, data: st.DataObject
) -> None:
    bits = data.draw(st.lists(st.booleans(), min_size=classes * attributes, max_size=classes * attributes))
    present = np.array(bits).reshape(classes, attributes)
    names = [f"class {row}" for row in range(classes)]
    count = data.draw(st.integers(1, classes - 1))
    chosen = draw_classes(names, present, count=count, seed=seed)
    assert len(set(chosen)) == count
    order = np.random.default_rng(0).permutation(classes)
    assert draw_classes([names[i] for i in order], present[order], count=count, seed=seed) == chosen
    alone = [row for row in range(classes) if (present[row] & (present.sum(axis=0) == 1)).any()]
    if count == 1 and len(alone) < classes:
        assert names.index(chosen[0]) not in alone


def test_copies_of_a_photo_stay_on_one_side() -> None:
    photos = [f"{number}.jpg" for number in range(10)]
    copies = {("a", photo): "one" for photo in photos[:4]} | {("a", photo): "two" for photo in photos[4:6]}
    for seed in range(30):
        test = set(draw_photos("a", photos, copies, seed=seed))
        assert test
        assert test.isdisjoint(photos[:4])
        assert test & set(photos[4:6]) in (set(), set(photos[4:6]))


def test_new_photos_are_told_and_wait_until_the_split_is_extended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tiny_folder.write(tmp_path / "own")
    before = load_image_folder(root)
    assert "no split; drawn with seed 0 and written" in caplog.text
    text = (root / "splits.yaml").read_bytes()
    for number in range(5):
        tiny_folder.add_photo(root, "blue ball", f"new {number}.png", seed=100 + number)
    caplog.clear()
    again = load_image_folder(root)
    assert "5 photos are not in the split and are left out (blue ball/new 0.png" in caplog.text
    assert (root / "splits.yaml").read_bytes() == text
    assert again.image_paths == before.image_paths
    np.testing.assert_array_equal(again.trainval, before.trainval)
    old, new = split_of(root), extended_split(read_folder(root), split_of(root))
    assert set(old.train["blue ball"]) <= set(new.train["blue ball"])
    assert set(old.test["blue ball"]) <= set(new.test["blue ball"])
    assert len(new.train["blue ball"]) + len(new.test["blue ball"]) == 12
    assert len(new.test["blue ball"]) == 2
    assert {name: photos for name, photos in new.train.items() if name != "blue ball"} == {
        name: photos for name, photos in old.train.items() if name != "blue ball"
    }


def test_what_is_gone_is_a_mistake_until_the_split_is_extended(tmp_path: Path) -> None:
    root = tiny_folder.write(tmp_path / "own")
    load_image_folder(root)
    split = split_of(root)
    seen = next(name for name in split.train if name not in split.validation)
    (root / "images" / seen / split.train[seen][0]).unlink()
    shutil.rmtree(root / "images" / split.unseen[0])
    with pytest.raises(BenchmarkError) as raised:
        load_image_folder(root)
    told = "\n".join(raised.value.problems)
    assert f"1 photos of {seen!r} are not there ({split.train[seen][0]})" in told
    assert f"class {split.unseen[0]!r} has no photos any more" in told
    extended = extended_split(read_folder(root, check_split=False), split)
    assert extended.unseen == split.unseen[1:]
    assert extended.train[seen] == split.train[seen][1:]


def test_a_copy_joins_its_original_and_a_copy_across_is_found(tmp_path: Path) -> None:
    root = tiny_folder.write(tmp_path / "own")
    split = draw_split(read_folder(root))
    name = split.validation[0]
    photos = root / "images" / name
    for number, original in enumerate((split.train[name][0], split.test[name][0])):
        shutil.copy(photos / original, photos / f"copy {number}.png")
    folder = read_folder(root)
    extended = extended_split(folder, split)
    assert "copy 0.png" in extended.train[name]
    assert "copy 1.png" in extended.test[name]
    assert identical_across(folder, extended) == []
    test = {**split.test, name: (*split.test[name], "copy 0.png")}
    leaky = FolderSplit(seed=0, unseen=split.unseen, validation=split.validation, train=split.train, test=test)
    assert identical_across(folder, leaky) == [((name, split.train[name][0]), (name, "copy 0.png"))]


def test_new_classes_are_learned_from_unless_named_unseen(tmp_path: Path) -> None:
    root = tiny_folder.write(tmp_path / "own")
    split = draw_split(read_folder(root))
    for name in ("red pipe", "blue pipe"):
        for number in range(6):
            tiny_folder.add_photo(root, name, f"{number}.png", seed=200 + number + 10 * len(name))
    more = "  red pipe: {color: red, shape: [box, cone]}\n  blue pipe: {color: blue, shape: [box, cone]}\n"
    (root / "attributes.yaml").write_text(tiny_folder.ATTRIBUTES + more)
    extended = extended_split(read_folder(root), split, unseen=["blue pipe"])
    assert (len(extended.train["red pipe"]), len(extended.test["red pipe"])) == (5, 1)
    assert extended.unseen == (*split.unseen, "blue pipe")
    assert "blue pipe" not in extended.train
    assert len(extended.test["blue pipe"]) == 6


MISTAKES = {
    "unseen: []": "splits.yaml: unseen: got no class",
    "validation: [red ball]": "class 'red ball' is both unseen and for validation",
    "validation: [blue goat]": "validation class 'blue goat' has no photo under train",
    "train: {red ball: [0.png]}": "class 'red ball' is unseen, so none of its photos may be learned from",
    "train: {red box: [0.png, 1.png, 2.png, 3.png]}": "class 'red box': 4 photos; at least 5: 4 to learn from and 1",
    "train: {red box: [0.png, 9.png]}": "1 photos of 'red box' are not there (9.png)",
    "test: {red box: [0.png]}": "photos of 'red box' are under train and under test: 0.png",
    "test: {red box: []}": "seen class 'red box' has no photo under test; move one there",
    "test: {green ball: [0.png]}": "class 'green ball' is not described in the attributes file",
    "seed: much": "seed: got 'much'; allowed is a whole number from 0",
    "holdout: 3": "no such key 'holdout'; there are seed, unseen",
}


@pytest.mark.parametrize("change", MISTAKES)
def test_a_split_written_by_hand_is_checked(tmp_path: Path, change: str) -> None:
    root = tiny_folder.write(tmp_path / "own")
    write_split(root, draw_split(read_folder(root), unseen=["red ball", "blue box"], validation=["red cone"]))
    plain = yaml.safe_load((root / "splits.yaml").read_text())
    for key, value in yaml.safe_load(change).items():
        plain[key] = plain[key] | value if isinstance(value, dict) else value
    (root / "splits.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(BenchmarkError) as raised:
        load_image_folder(root)
    assert any(MISTAKES[change] in problem for problem in raised.value.problems), raised.value.problems
    assert all(problem.startswith("splits.yaml") for problem in raised.value.problems)
