"""`duet benchmark init`, `split`, `check` and `classes` at the command line, and runs held to what they saw."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from duet_core.benchmark_mark import hold_to_benchmark
from duet_core.benchmarks import load_image_folder
from duet_core.class_names import class_id, class_ids
from duet_core.cli import main
from duet_core.config_file import load_config
from duet_core.record import ProtocolError
from tests.duet_core.benchmarks import tiny_folder


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny folder as `own` in the working directory."""
    monkeypatch.chdir(tmp_path)
    return tiny_folder.write(Path("own"))


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What `duet benchmark …` prints, on both streams."""
    assert main(["benchmark", *arguments]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.mark.parametrize("form", ["yaml", "csv"])
def test_init_writes_what_is_to_be_filled_in_and_overwrites_nothing(
    own: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "attributes.yaml").unlink()
    options = ["--csv"] if form == "csv" else []
    out = said(capsys, "init", "own", *options)
    attributes = own / f"attributes.{form}"
    assert f"wrote   {attributes}" in out
    assert " 2. duet benchmark check own" in out
    assert all(name in attributes.read_text() for name in tiny_folder.CLASSES)
    config = load_config(own / "own.yaml")
    assert (config.data.root, config.data.layout, config.vision.weights) == ("own", "folder", None)
    checked = said(capsys, "check", "own", code=1)
    assert checked.count("has no attribute") == len(tiny_folder.CLASSES)
    attributes.write_text("mine")
    assert f"kept    {attributes}" in said(capsys, "init", "own")
    assert attributes.read_text() == "mine"
    assert sorted(path.name for path in own.iterdir()) == [attributes.name, "images", "own.yaml"]


def test_init_names_the_weights_that_are_there(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "init", "own", "--encoder", "mobilenetv2_100", "--weights", "my: weights.safetensors")
    assert load_config(own / "own.yaml").vision.weights == "my: weights.safetensors"


@pytest.mark.usefixtures("own")
def test_init_without_photos_says_where_they_go(capsys: pytest.CaptureFixture[str]) -> None:
    assert "put the photos of each class in a folder of its own" in said(capsys, "init", "nowhere", code=2)


def test_split_is_written_once_and_extended_when_told(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "split", "own", "--unseen", "red ball", "--unseen", "blue box", "--validation", "red cone")
    assert "4 seen classes (red cone for validation), unseen: red ball, blue box" in out
    text = (own / "splits.yaml").read_text()
    assert "splits.yaml is there; --extend adds what is new" in said(capsys, "split", "own", code=2)
    assert (own / "splits.yaml").read_text() == text
    tiny_folder.add_photo(own, "blue ball", "new.png", seed=99)
    assert "1 photos are not in the split" in said(capsys, "check", "own")
    out = said(capsys, "split", "own", "--extend")
    assert "train: 0 photos came" in out or "train: 1 photos came" in out
    assert "new.png" in (own / "splits.yaml").read_text()
    assert "not in the split" not in said(capsys, "check", "own")


@pytest.mark.usefixtures("own")
def test_split_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "split", "own", "--unseen", "red bal", code=2)
    assert "--unseen: no class 'red bal' with photos and a description; such as red ball" in out
    assert "name it once" in said(capsys, "split", "own", "--unseen", "red ball", "--validation", "red ball", code=2)
    assert "--extend keeps a split that is there" in said(capsys, "split", "own", "--extend", code=2)
    everything = [word for name in tiny_folder.CLASSES[:5] for word in ("--unseen", name)]
    assert "are left to learn from" in said(capsys, "split", "own", *everything, code=2)


def test_a_class_of_few_photos_may_be_named_unseen(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(5):
        (own / "images" / "red box" / f"{number}.png").unlink()
    assert "images/red box/: 2 photos; 6 are needed" in said(capsys, "split", "own", code=2)
    assert "unseen: red box" in said(capsys, "split", "own", "--unseen", "red box")
    assert said(capsys, "check", "own").rstrip().endswith("can be trained on")


def test_classes_not_learned_from_are_printed_for_the_service(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (own / "attributes.yaml").open("a") as more:
        more.write("  Gürtel_tier: {color: {red: 0.5}, shape: [ball, box]}\n")
    assert "no own/splits.yaml; run: duet benchmark split own" in said(capsys, "classes", "own", code=2)
    said(capsys, "split", "own", "--unseen", "red ball")
    rows = [json.loads(line) for line in said(capsys, "classes", "own").splitlines()]
    assert rows == [
        {"id": "red-ball", "label": "red ball", "attributes": [1, 0, 1, 0, 0]},
        {"id": "gurtel-tier", "label": "Gürtel tier", "attributes": [0.5, 0, 1, 1, 0]},
    ]


def test_demo_draws_nothing_over_what_is_there(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is there; nothing was drawn into it" in said(capsys, "demo", "own", code=2)
    assert "photos: got 5; allowed is 6 or more" in said(capsys, "demo", "new", "--photos", "5", code=2)
    assert "6 photos of each of 12 classes" in said(capsys, "demo", "new", "--photos", "6")
    drawn = {path.read_bytes() for path in Path("new").glob("images/*/*.png")}
    assert len(drawn) == 72
    said(capsys, "demo", "again", "--photos", "6")
    assert {path.read_bytes() for path in Path("again").glob("images/*/*.png")} == drawn
    assert list(own.glob("images/*/*.png"))


def test_runs_are_held_to_the_photos_the_split_and_the_attributes(own: Path) -> None:
    hold_to_benchmark(load_image_folder(own), Path("runs"))
    hold_to_benchmark(load_image_folder(own), Path("runs"))
    plain = yaml.safe_load((own / "splits.yaml").read_text())
    plain["validation"] = ["blue ball"]
    (own / "splits.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(ProtocolError, match="own: split changed since the runs in runs began"):
        hold_to_benchmark(load_image_folder(own), Path("runs"))
    text = (own / "attributes.yaml").read_text()
    (own / "attributes.yaml").write_text(text.replace("blue box: {color: blue,", "blue box: {color: [red, blue],"))
    with pytest.raises(ProtocolError, match="own: split and attributes changed"):
        hold_to_benchmark(load_image_folder(own), Path("runs"))


def test_ids_of_classes_are_distinct_and_fit_the_api() -> None:
    assert class_id("Grünfink") == "grunfink"
    assert class_id("红球").startswith("class-")
    assert class_ids(["red fox", "Red-Fox", "réd fox", "x" * 80]) == ["red-fox", "red-fox-2", "red-fox-3", "x" * 64]
