"""The commands that read photos look for the object in them, as the service does, and for nothing when told so."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from PIL import Image

from duet_core.cli import main
from duet_core.runtime.finder import Box
from tests.tiny_bundle import picture, write_tiny_bundle
from tests.tiny_finder import add_finder, scene

PLACE = Box(left=0.55, top=0.5, right=0.95, bottom=0.9)
FRAME = (182, 242, 203)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bundle that finds, and a photo whose bird its central square cuts through."""
    add_finder(write_tiny_bundle(tmp_path / "models" / "birds"))
    (tmp_path / "photos").mkdir()
    scene(picture("red", "blue"), (180, 120), PLACE).save(tmp_path / "photos" / "corner.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DUET_BUNDLE", raising=False)
    return tmp_path


@pytest.mark.usefixtures("workplace")
def test_predict_says_where_it_looked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "photos/corner.png", "--json"]) == 0
    assert main(["predict", "photos/corner.png", "--json", "--no-find"]) == 0
    found, central = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert found["box"] == pytest.approx(vars(PLACE), abs=0.03)
    assert found["predictions"][0]["class_id"] == "blue-winged-bird"
    assert "box" not in central
    assert central["predictions"][0]["score"] < found["predictions"][0]["score"] - 0.3


@pytest.mark.usefixtures("workplace")
def test_explain_frames_what_it_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    frames = []
    for more in ([], ["--no-find"]):
        arguments = ["explain", "photos/corner.png", "--class-id", "blue-winged-bird", "--picture", "out.png"]
        assert main([*arguments, *more]) == 0
        with Image.open("out.png") as drawn:
            colours = drawn.convert("RGB").getcolors(drawn.width * drawn.height)
        frames.append(FRAME in {colour for _, colour in colours or []})
    assert frames == [True, False]
    found, central = (part for part in capsys.readouterr().out.split("picture: out.png") if part.strip())
    scores = [float(part.split("contributions to the score ")[1].split()[0]) for part in (found, central)]
    assert scores[0] > scores[1] + 0.3


def test_bulk_looks_for_the_object(workplace: Path) -> None:
    out = workplace / "predictions.parquet"
    assert main(["bulk", "photos", "--bundle", "models/birds", "--out", str(out)]) == 0
    (row,) = parquet.read_table(out).to_pylist()
    assert row["predictions"][0]["class_id"] == "blue-winged-bird"
    assert row["accepted"]
