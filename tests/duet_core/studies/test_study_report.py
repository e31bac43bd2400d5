"""The table and the plots of a study, from made-up records."""

from __future__ import annotations

import subprocess
import sys
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from duet_core.commands import study_report
from duet_core.studies import RecordStore, Study
from duet_core.studies.plots import draw
from duet_core.studies.report import markdown
from duet_core.studies.significance import holm, paired
from duet_core.studies.study import StudyError
from tests.duet_core.studies.study_records import write_record, write_study

ROWS = {
    "base": {"label": "9) CSG", "paper": 69.2},
    "one": {"paper": 64.1, "set": {"loss.lambda_con": 0.0}},
    "two": {"label": "Two", "set": {"sampling.rho": 0.0}},
    "none": {"set": {"sampling.rho": 1.0}},
}
H = {"base": (0.60, 0.62, 0.61), "one": (0.55, 0.58, 0.56), "two": (0.61, 0.62)}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    made = write_study(tmp_path, rows=ROWS, compare_with=["base"], source="A paper, Table 3")
    for name, values in H.items():
        for seed, value in enumerate(values):
            write_record(tmp_path / f"records/tiny/{name}/test-seed{seed}.json", made.row(name), seed, H=value)
    return made


def test_the_table(study: Study) -> None:
    half, thrice = "50.0 ± 0.0", "50.0 ± 0.0 | 50.0 ± 0.0 | 50.0 ± 0.0"
    assert markdown(study, RecordStore(Path("records"))).splitlines()[:6] == [
        "| row | seeds | T1 | U | S | H | AUSUC | H − base | p (Holm) | paper H | paper H − base | minutes |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        f"| 9) CSG (`base`) | 3 | {thrice} | 61.0 ± 1.0 | {half} | – | – | 69.2 | – | 2.0 |",
        f"| one | 3 | {thrice} | 56.3 ± 1.5 | {half} | −4.7 ± 0.6 | 0.005 (0.010) | 64.1 | −5.1 | 2.0 |",
        f"| Two (`two`) | **2 of 3** | {thrice} | 61.5 ± 0.7 | {half} | +0.5 ± 0.7 | 0.500 (0.500) | – | – | 1.5 |",
        "| none | **0 of 3** | – | – | – | – | – | – | – | – | – | – |",
    ]


def test_another_metric_is_compared_without_the_papers_figures(study: Study) -> None:
    store = RecordStore(Path("records"))
    table = markdown(study, store, metric="T1").splitlines()
    assert table[0].endswith("| AUSUC | T1 − base | p (Holm) | minutes |")
    assert "| +0.0 ± 0.0 |" in table[3]  # every made-up record has the same T1
    assert "Paper:" not in "\n".join(table)
    assert markdown(study, store, metric="H") == markdown(study, store)
    with pytest.raises(StudyError, match="no metric 'h'; there are T1, U, S, H, AUSUC"):
        markdown(study, store, metric="h")


def test_the_notes_say_which_test_it_is(study: Study) -> None:
    notes = markdown(study, RecordStore(Path("records"))).split("\n\n")[1]
    for said in ("seeds 0, 1, 2", "paired t-test", "Holm", "A paper, Table 3", "seeds are missing"):
        assert said in notes


def test_the_paired_t_test_against_its_formula() -> None:
    found = paired([55.0, 58.0, 56.0], [60.0, 62.0, 61.0])
    t = -14 / 3 / (sqrt(1 / 3) / sqrt(3))  # differences −5, −4, −5
    two_sided = 1 - abs(t) / sqrt(t * t + 2)  # Student's distribution with 2 degrees of freedom, in closed form
    assert found.mean == pytest.approx(-14 / 3)
    assert found.deviation == pytest.approx(sqrt(1 / 3))
    assert found.p == pytest.approx(two_sided)


def test_where_no_test_is_defined_none_is_told() -> None:
    assert paired([1.0], [2.0]).p is None
    assert paired([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]).p is None  # all differences alike


def test_holms_correction() -> None:
    assert holm([0.01, 0.04, None, 0.03]) == [pytest.approx(0.03), pytest.approx(0.06), None, pytest.approx(0.06)]
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_only_seeds_of_both_rows_are_compared(study: Study) -> None:
    Path("records/tiny/base/test-seed1.json").unlink()
    line = markdown(study, RecordStore(Path("records"))).splitlines()[4]
    assert "| +1.0 | – |" in line  # seed 0 alone: 61 − 60


def test_the_command_prints_the_table_and_writes_table_and_plot(study: Study) -> None:
    table, written = study_report.run(Path("tiny.yaml"), records=Path("records"), out=Path("out"))
    assert table == markdown(study, RecordStore(Path("records")))
    assert table in Path("out/tiny.md").read_text()
    assert "out/tiny.svg" in written
    drawn = Path("out/tiny.svg").read_text()
    assert "9) CSG" in drawn
    assert "none" not in [line.strip() for line in drawn.splitlines()]
    list(study_report.run(Path("tiny.yaml"), records=Path("records"), out=Path("again")))
    assert Path("again/tiny.svg").read_text() == drawn


def test_a_sweep_is_drawn_as_lines_over_its_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = (0.0, 0.02, 0.2, 2.0)
    rows: dict[str, Any] = {f"cmr_{value}": {"set": {"loss.lambda_cmr": value}} for value in values}
    rows["vision"] = {"set": {"variant": "vision_only"}}
    study = write_study(tmp_path, rows=rows, sweep="loss.lambda_cmr")
    assert not draw(study, RecordStore(Path("records")), Path("none.svg"))
    assert not Path("none.svg").exists()
    for row in study.rows:
        for seed in study.seeds:
            write_record(tmp_path / f"records/{row.name}-{seed}.json", row, seed, H=0.5 + seed / 100)
    assert draw(study, RecordStore(Path("records")), Path("some.svg"))
    drawn = Path("some.svg").read_text()
    for text in ("H, vision", "loss.lambda_cmr", ">U<", ">0.02<", ">2<"):
        assert text in drawn


def test_the_report_loads_no_torch() -> None:
    root = Path(__file__).resolve().parents[3]
    code = (
        "import sys, duet_core.commands.study_report, duet_core.commands.study_run;"
        "print([n for n in ('torch', 'scipy', 'matplotlib', 'transformers') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
