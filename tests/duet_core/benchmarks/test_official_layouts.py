"""SUN and AWA2 in the official layout, lists of photos in place of res101.mat, and the report on a folder."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from duet_core.benchmarks import Benchmark, BenchmarkError, load_xlsa17
from duet_core.benchmarks.check_table import Report
from duet_core.benchmarks.checking import check_benchmark
from duet_core.cli import main
from tests.duet_core.benchmarks import tiny_xlsa17


def states(report: Report) -> dict[str, str]:
    return {check.name: check.state for check in report.checks}


def test_sun_is_told_by_its_file_of_names(tmp_path: Path) -> None:
    benchmark = load_xlsa17(tiny_xlsa17.as_sun(tiny_xlsa17.write(tmp_path)))
    assert benchmark.schema.keys == (
        *("transportation function: boating", "natural material: trees", "natural material: grass"),
        "horizon: far away",
    )


def test_awa2_is_told_by_its_file_of_names_and_held_to_its_binary_matrix(tmp_path: Path) -> None:
    root = tiny_xlsa17.as_awa2(tiny_xlsa17.write(tmp_path))
    schema = load_xlsa17(root).schema
    assert schema.keys == ("color: black", "texture: tough skin", "behavior: flies", "limb: quadrupedal")
    assert states(check_benchmark(root))["degree > mean"] == "ok"
    fields = scipy.io.loadmat(root / "binaryAtt_splits.mat")
    fields["att"][0, 0] = 1 - fields["att"][0, 0]
    scipy.io.savemat(root / "binaryAtt_splits.mat", {name: fields[name] for name in ("att", "allclasses_names")})
    with pytest.raises(BenchmarkError, match="degree > mean: got 1 of 28 entries differ"):
        load_xlsa17(root)


@pytest.mark.parametrize("line", ["     3\tflys", "     2", "     2\tflies"])
def test_awa2_names_that_are_not_the_official_ones_are_refused(tmp_path: Path, line: str) -> None:
    root = tiny_xlsa17.as_awa2(tiny_xlsa17.write(tmp_path))
    lines = (root / "predicates.txt").read_text().splitlines()
    (root / "predicates.txt").write_text("\n".join([lines[0], line]))
    with pytest.raises(BenchmarkError, match=r"attribute names: got .*2"):
        load_xlsa17(root)


def same_photos(one: Benchmark, other: Benchmark) -> bool:
    return one.image_paths == other.image_paths and np.array_equal(one.labels, other.labels)


def test_cubs_own_list_stands_in_for_res101(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tiny_xlsa17.write(tmp_path)
    official = load_xlsa17(root)
    photos = [path.relative_to(root / "images").as_posix() for path in official.image_paths]
    (root / "res101.mat").unlink()
    (root / "images.txt").write_text("".join(f"{number} {photo}\n" for number, photo in enumerate(photos, start=1)))
    with caplog.at_level(logging.WARNING):
        assert same_photos(load_xlsa17(root), official)
    assert "res101.mat: got no file; 42 photos and labels from images.txt, in its order" in caplog.text
    (root / "images.txt").write_text("1 008.Dodo/photo_0.jpg\n")
    with pytest.raises(BenchmarkError, match=r"1 photos of images\.txt in folders that are no class: 008\.Dodo"):
        load_xlsa17(root)


def test_suns_own_list_stands_in_for_res101_and_its_folders_are_nested(tmp_path: Path) -> None:
    fields = tiny_xlsa17.contents()
    names = ("abbey", "airport_airport", "bar", "cliff", "dam", "field_wild", "gym")
    nested = ("a/abbey", "a/airport/airport", "b/bar", "c/cliff", "d/dam", "f/field/wild", "g/gym")
    fields["allclasses_names"] = np.array(names, dtype=object)[:, None]
    photos = [f"{nested[label - 1]}/sun_{row}.jpg" for row, label in enumerate(fields["labels"][:, 0])]
    root = tiny_xlsa17.as_sun(tiny_xlsa17.write(tmp_path, fields, photos=False))
    for file in ("res101.mat", "allclasses.txt", "trainvalclasses.txt", "testclasses.txt"):
        (root / file).unlink()
    scipy.io.savemat(root / "images.mat", {"images": np.array(photos, dtype=object)[:, None]})
    benchmark = load_xlsa17(root, check_photos=False)
    assert benchmark.labels.tolist() == (fields["labels"][:, 0] - 1).tolist()
    assert benchmark.image_paths[6] == root / "images" / "a" / "airport" / "airport" / "sun_6.jpg"


def test_wrong_label_of_a_nested_folder_is_found(tmp_path: Path) -> None:
    fields = tiny_xlsa17.contents()
    fields["allclasses_names"][1] = "airport_airport"
    fields["image_files"][0] = "/BS/data/SUN/images/a/airport/airport/sun_0.jpg"
    root = tiny_xlsa17.write(tmp_path, fields)
    (root / "allclasses.txt").unlink()
    with pytest.raises(BenchmarkError, match="labels and folders: got 1 photos have the label of another class"):
        load_xlsa17(root)


def test_report_of_a_good_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tiny_xlsa17.write(tmp_path)
    assert main(["benchmark", "check", str(root)]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{root}: xlsa17 layout, CUB\n")
    assert "classes (seen / unseen)      7 (5 / 2)  200 (150 / 50)\n" in text
    assert "photos (training / testing)  25 / 17    7,057 / 4,731\n" in text
    assert text.endswith("\ncan be trained on\n")
    assert set(states(check_benchmark(root)).values()) == {"ok"}


def test_report_shows_every_check_when_the_first_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tiny_xlsa17.write(tmp_path)
    (root / "att_splits.mat").unlink()
    shutil.rmtree(root / "images" / "004.Gull")
    assert main(["benchmark", "check", str(root)]) == 1
    assert "cannot be trained on yet: att_splits.mat, photos\n" in capsys.readouterr().out
    got = states(check_benchmark(root))
    assert got.keys() >= states(check_benchmark(tiny_xlsa17.write(tmp_path / "good"))).keys()
    assert {name for name, state in got.items() if state == "ok"} == {
        *("res101.mat", "attribute names", "prompt sets", "image_files", "photo paths")
    }
    assert {got["norms of att"], got["splits"], got["train_loc and val_loc"]} == {"skipped"}


def test_report_of_an_empty_folder_asks_for_every_file(tmp_path: Path) -> None:
    report = check_benchmark(tmp_path)
    missing = {check.name: check.advice for check in report.checks if check.state == "missing"}
    assert missing.keys() == {"att_splits.mat", "res101.mat", "attribute names"}
    assert "attributes.txt of CUB_200_2011 or attributes.mat of SUNAttributeDB" in missing["attribute names"]


def test_report_tells_repairs_and_where_photos_are_sought(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = tiny_xlsa17.contents()
    fields["train_loc"] = np.concatenate([fields["train_loc"], fields["test_seen_loc"][:1]])
    root = tiny_xlsa17.write(tmp_path / "leaky", fields, photos=False)
    assert main(["benchmark", "check", str(root)]) == 1
    text = capsys.readouterr().out
    assert "repaired  train_loc and val_loc     they leak 1 photos outside trainval" in text
    assert "missing   photos                    0 of 42" in text
    photos = tiny_xlsa17.write(tmp_path / "good") / "images"
    assert main(["benchmark", "check", str(root), "--images", str(photos)]) == 0
    assert "can be trained on; 1 repaired on reading, no file was changed" in capsys.readouterr().out


def test_check_of_no_folder_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "check", str(tmp_path / "none")]) == 2
    assert "no folder" in capsys.readouterr().err
