"""The loader of the official layout: what it reads, repairs and refuses."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from duet_core.benchmarks import BenchmarkError, load_xlsa17, official, xlsa17_splits
from tests.duet_core.benchmarks import tiny_xlsa17


def test_reads_rows_names_and_views_in_label_order(tmp_path: Path) -> None:
    benchmark = load_xlsa17(tiny_xlsa17.write(tmp_path / "tiny"))
    assert benchmark.name == "tiny"
    assert benchmark.classes.names == tiny_xlsa17.NAMES
    assert benchmark.schema.keys == ("wing color: blue", "wing color: grey", "tail shape: forked", "size: large")
    assert benchmark.labels[:7].tolist() == [0] * 6 + [1]
    assert benchmark.image_paths[6] == tmp_path / "tiny" / "images" / "001.Crow" / "photo_0.jpg"
    assert np.flatnonzero(benchmark.classes.seen).tolist() == list(tiny_xlsa17.SEEN)
    np.testing.assert_allclose(benchmark.classes.z, tiny_xlsa17.contents()["att"].T, rtol=1e-6)
    np.testing.assert_allclose(benchmark.classes.raw, tiny_xlsa17.contents()["original_att"].T, rtol=1e-6)
    assert benchmark.trainval[0] == 0
    assert benchmark.test_seen[0] == 5


def test_photos_may_lie_elsewhere_and_may_stay_unchecked(tmp_path: Path) -> None:
    root = tiny_xlsa17.write(tmp_path / "tiny", photos=False)
    benchmark = load_xlsa17(root, images=Path("elsewhere"), name="mine", check_photos=False)
    assert benchmark.name == "mine"
    assert benchmark.image_paths[0] == Path("elsewhere/003.Wren/photo_0.jpg")


def test_double_slash_and_jpegimages_marker(tmp_path: Path) -> None:
    fields = tiny_xlsa17.contents()
    for row in fields["image_files"]:
        row[0] = row[0].replace(tiny_xlsa17.PREFIX, "/BS/work/Animals_with_Attributes2//JPEGImages/")
    benchmark = load_xlsa17(tiny_xlsa17.write(tmp_path, fields, photos=False), check_photos=False)
    assert benchmark.image_paths[0] == tmp_path / "JPEGImages" / "003.Wren" / "photo_0.jpg"


def test_version_1_leak_is_cut_to_trainval_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clean = load_xlsa17(tiny_xlsa17.write(tmp_path / "v2"))
    fields = tiny_xlsa17.contents()
    test_seen, labels = fields["test_seen_loc"], fields["labels"]
    in_val = np.isin(labels[test_seen[:, 0] - 1, 0] - 1, tiny_xlsa17.VAL)
    fields["train_loc"] = np.concatenate([fields["train_loc"], test_seen[~in_val]])
    fields["val_loc"] = np.concatenate([fields["val_loc"], test_seen[in_val]])
    with caplog.at_level(logging.WARNING):
        repaired = load_xlsa17(tiny_xlsa17.write(tmp_path / "v1", fields))
    assert "leak 5 photos" in caplog.text
    assert sorted(repaired.train) == sorted(clean.train)
    assert sorted(repaired.val) == sorted(clean.val)


def test_folds_absent_are_rebuilt_from_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fields = tiny_xlsa17.contents()
    expected = load_xlsa17(tiny_xlsa17.write(tmp_path / "v2"))
    del fields["train_loc"], fields["val_loc"]
    root = tiny_xlsa17.write(tmp_path / "v2019", fields)
    with pytest.raises(BenchmarkError, match=r"valclasses1\.txt"):
        load_xlsa17(root)
    (root / "valclasses1.txt").write_text("\n".join(tiny_xlsa17.NAMES[row] for row in tiny_xlsa17.VAL))
    with caplog.at_level(logging.WARNING):
        rebuilt = load_xlsa17(root)
    assert "rebuilt" in caplog.text
    assert rebuilt.val.tolist() == expected.val.tolist()


def _swap_first_labels(fields: dict[str, Any]) -> None:
    fields["labels"][[0, 6]] = fields["labels"][[6, 0]]


def _unseen_in_trainval(fields: dict[str, Any]) -> None:
    fields["trainval_loc"] = np.concatenate([fields["trainval_loc"], fields["test_unseen_loc"][:1]])
    fields["test_unseen_loc"] = fields["test_unseen_loc"][1:]


def _repeat(fields: dict[str, Any]) -> None:
    fields["test_seen_loc"][0] = fields["trainval_loc"][0]


def _drop_test_class(fields: dict[str, Any]) -> None:
    fields["trainval_loc"] = np.concatenate([fields["trainval_loc"], fields["test_seen_loc"][:1]])
    fields["test_seen_loc"] = fields["test_seen_loc"][1:]


def _set(field: str, change: Any) -> Any:
    def apply(fields: dict[str, Any]) -> None:
        fields[field] = change(fields[field])

    return apply


def _with_nan(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix[0, 0] = np.nan
    return matrix


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_swap_first_labels, r"2 photos have the label of another class than their folder"),
        (_unseen_in_trainval, r"got 004\.Gull both seen and unseen, expected none"),
        (_repeat, r"1 of 42 photos more than once, 1 not at all"),
        (_drop_test_class, r"classes of test_seen_loc: got without 003\.Wren of trainval_loc, with none"),
        (_set("att", lambda att: att * 2), r"att: got norm 2 for '003\.Wren' \(7 such classes\), expected 1"),
        (_set("original_att", lambda raw: raw[::-1]), r"away from original_att divided by its norm"),
        (_set("original_att", lambda raw: raw * (np.arange(7) > 0)), r"got no degree for '003\.Wren'"),
        (_set("att", lambda att: att[:3]), r"att: got \(3, 7\) \(attributes, classes\), expected \(4, 7\)"),
        (_set("att", _with_nan), r"att: got NaN"),
        (_set("labels", lambda labels: labels + 1), r"labels: got 2 to 8, expected 1 to 7"),
        (_set("labels", lambda labels: labels[:-1]), r"got 41 labels and 42 image_files"),
        (_set("trainval_loc", lambda loc: loc - 1), r"trainval_loc: got 0 to"),
        (_set("val_loc", lambda loc: loc[:0]), r"val_loc: got no entry"),
        (_set("allclasses_names", lambda names: names[::-1]), r"7 names in allclasses\.txt that differ"),
        (
            _set("image_files", lambda files: files + "x"),
            r"photos: got 0 of 42, expected 42 photos; .*0\.jpgx, .*1\.jpgx, ",
        ),
        (_set("val_loc", lambda loc: loc[1:]), r"train_loc and val_loc: got 15 \+ 9 photos for 25"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    fields = tiny_xlsa17.contents()
    change(fields)
    root = tiny_xlsa17.write(tmp_path, fields)
    with pytest.raises(BenchmarkError, match=message):
        load_xlsa17(root)


def test_folds_that_share_a_class_are_refused(tmp_path: Path) -> None:
    fields = tiny_xlsa17.contents()
    fields["train_loc"] = np.concatenate([fields["train_loc"], fields["val_loc"][:1]])
    fields["val_loc"] = fields["val_loc"][1:]
    with pytest.raises(BenchmarkError, match="1 shared classes"):
        load_xlsa17(tiny_xlsa17.write(tmp_path, fields))


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    fields = tiny_xlsa17.contents()
    _repeat(fields)
    fields["att"] *= 2
    fields["image_files"][0] = "photo.jpg"
    with pytest.raises(BenchmarkError) as caught:
        load_xlsa17(tiny_xlsa17.write(tmp_path, fields, photos=False))
    text = "\n".join(caught.value.problems)
    for part in ("norm 2", "more than once", "not at all", "1 image_files with neither", "0 of 41"):
        assert part in text
    assert f"{len(caught.value.problems)} problems found" in str(caught.value)


def test_missing_and_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError) as caught:
        load_xlsa17(tmp_path)
    assert len(caught.value.problems) == 3
    root = tiny_xlsa17.write(tmp_path / "tiny")
    (root / "att_splits.mat").write_bytes(b"not a mat file" * 20)
    with pytest.raises(BenchmarkError, match=r"att_splits\.mat: got bytes that are no MATLAB v5 file"):
        load_xlsa17(root)
    (root / "att_splits.mat").write_bytes(b"short")
    with pytest.raises(BenchmarkError, match=r"att_splits\.mat: got bytes that are no MATLAB v5 file"):
        load_xlsa17(root)
    scipy.io.savemat(root / "att_splits.mat", {"att": np.eye(2)})
    with pytest.raises(BenchmarkError, match=r"att_splits\.mat: got a file without allclasses_names, original_att"):
        load_xlsa17(root)


def test_missing_attribute_line_is_refused(tmp_path: Path) -> None:
    root = tiny_xlsa17.write(tmp_path)
    lines = (root / "attributes.txt").read_text().splitlines()
    (root / "attributes.txt").write_text("\n".join([lines[0], *lines[2:]]))
    with pytest.raises(BenchmarkError, match=r"attributes\.txt line 2: got '3 has_tail_shape"):
        load_xlsa17(root)


def test_class_lists_that_disagree_are_refused(tmp_path: Path) -> None:
    root = tiny_xlsa17.write(tmp_path)
    (root / "testclasses.txt").write_text("004.Gull\n")
    (root / "trainvalclasses.txt").write_text("004.Gull\n")
    with pytest.raises(BenchmarkError) as caught:
        load_xlsa17(root)
    assert len(caught.value.problems) == 2
    assert "and 2 more of trainval_loc, with 004.Gull that it lacks" in caught.value.problems[0]


@pytest.mark.data
def test_cub127(shared_data: Path) -> None:
    benchmark = load_xlsa17(shared_data / "CUB127")
    sizes = [len(rows) for rows in (benchmark.trainval, benchmark.test_seen, benchmark.test_unseen)]
    assert sizes == [4392, 1099, 1967]
    assert (int(benchmark.classes.seen.sum()), int((~benchmark.classes.seen).sum())) == (94, 33)
    assert (len(benchmark.schema), len(benchmark.schema.prompts)) == (312, 28)
    split = benchmark.validation_split()
    assert (len(split.seen_classes), len(split.unseen_classes)) == (64, 30)
    assert not np.isin(np.concatenate([benchmark.test_seen, benchmark.test_unseen]), split.train).any()


@pytest.mark.data
def test_full_cub_through_the_same_code(shared_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    benchmark = load_xlsa17(_full_cub(shared_data / "xlsa17" / "CUB", tmp_path), check_photos=False)
    assert "leak 1764 photos" in caplog.text
    assert (len(benchmark.train), len(benchmark.val)) == (4702, 2355)
    assert (int(benchmark.classes.seen.sum()), len(np.unique(benchmark.labels[benchmark.val]))) == (150, 50)
    assert benchmark.classes.present.shape == (200, 312)


def test_official_counts_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_big = replace(official.CUB, attributes=4, classes=7, seen=4, photos=42, trainval=26, test_seen=4, test_unseen=12)
    monkeypatch.setattr(xlsa17_splits, "OFFICIAL", (as_big,))
    with pytest.raises(BenchmarkError) as caught:
        load_xlsa17(tiny_xlsa17.write(tmp_path))
    counts, classes = caught.value.problems
    assert "got 42: 25 + 5 + 12, expected 42: 26 + 4 + 12 in CUB" in counts
    assert "got 5 seen, 2 unseen, expected 4 seen, 3 unseen" in classes


def _full_cub(source: Path, root: Path) -> Path:
    """The official folder, with a res101.mat made from CUB's own list of photos, whose order it has."""
    for file in ("allclasses.txt", "att_splits.mat", "attributes/attributes.txt"):
        (root / Path(file).name).write_bytes((source / file).read_bytes())
    row = {name: number for number, name in enumerate((root / "allclasses.txt").read_text().split(), start=1)}
    photos = [line.split()[1] for line in (source / "images.txt").read_text().splitlines()]
    labels = np.array([row[photo.split("/")[0]] for photo in photos], dtype=np.uint8)
    files = np.array([tiny_xlsa17.PREFIX + photo for photo in photos], dtype=object)
    scipy.io.savemat(root / "res101.mat", {"labels": labels[:, None], "image_files": files[:, None]})
    return root
