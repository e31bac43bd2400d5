"""The tables of figures in the documentation are what `duet results` prints from the records in the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from duet_core.commands import results
from duet_core.record import Record
from duet_core.studies.plots import draw
from duet_core.studies.record_store import RecordStore
from duet_core.studies.report import markdown
from duet_core.studies.study_file import load_study

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "training" / "records" / "birds"
PLUS = RECORDS.with_name("birds_plus")
STUDIES = [
    file for file in sorted((ROOT / "training" / "studies").glob("*.yaml")) if (RECORDS.parent / file.stem).is_dir()
]


@pytest.mark.parametrize(
    ("page", "records"), [("README.md", PLUS), ("docs/results.md", PLUS), ("docs/results.md", RECORDS)]
)
def test_the_page_shows_the_table_of_the_records(page: str, records: Path) -> None:
    assert results.run(records) in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("records", [RECORDS, PLUS], ids=lambda folder: folder.name)
def test_the_results_page_shows_the_table_of_the_validation_runs(records: Path) -> None:
    table = results.run(records, split="validation", config=ROOT / "training" / "configs" / f"{records.name}.yaml")
    assert table in (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert "| `none` | 0 |" in table  # the recipe itself
    assert "| `variant=vision_only` | 0 |" in table


@pytest.mark.parametrize("study", STUDIES, ids=lambda file: file.stem)
def test_the_results_page_shows_the_table_of_each_study_that_was_begun(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)  # where a study's recipe is looked for
    table = markdown(load_study(study), RecordStore(RECORDS.parent))
    assert table in (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("study", [file for file in STUDIES if file.stem != "leak"], ids=lambda file: file.stem)
def test_the_picture_of_a_study_is_drawn_from_its_records(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = ROOT / "docs" / f"{study.stem.replace('_', '-')}.svg"
    monkeypatch.chdir(ROOT)
    assert draw(load_study(study), RecordStore(RECORDS.parent), tmp_path / shown.name)
    assert (tmp_path / shown.name).read_text() == shown.read_text()
    assert f"]({shown.name})" in (ROOT / "docs" / "results.md").read_text(encoding="utf-8")


def test_every_row_was_judged_on_the_same_photos() -> None:
    tests = [Record.read(file) for folder in (RECORDS, PLUS) for file in folder.glob("*.json")]
    assert len(tests) > 1
    assert len({tuple(record.photos.items()) for record in tests}) == 1
    for record in tests:  # older records lack the fields that came later
        named = tests[0].recipe["data"].keys() & record.recipe["data"].keys()
        assert {"root", "image_size", "photo_side", "crop_scale", "views"} <= named
        assert all(record.recipe["data"][name] == tests[0].recipe["data"][name] for name in named)
