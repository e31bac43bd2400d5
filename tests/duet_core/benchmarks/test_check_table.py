"""The table of `duet benchmark check`: every row is shown, and one that fails decides the verdict."""

from __future__ import annotations

import pytest

from duet_core.benchmarks.check_table import Check, Report, State, check_table

ROWS = (
    Check("classes", "ok", "7", "7"),
    Check("photos", "missing", "3 of 42", "42", "copy images/ here"),
    Check("train_loc", "repaired", "5 leaked photos cut"),
)


def test_rows_stand_in_columns_and_advice_below_its_row() -> None:
    assert check_table(ROWS).splitlines() == [
        "state     check      got                  expected",
        "ok        classes    7                    7",
        "missing   photos     3 of 42              42",
        "          -> copy images/ here",
        "repaired  train_loc  5 leaked photos cut",
    ]


@pytest.mark.parametrize(
    ("state", "is_usable"), [("ok", True), ("repaired", True), ("skipped", True), ("missing", False), ("wrong", False)]
)
def test_only_what_is_missing_or_wrong_stops(state: State, is_usable: bool) -> None:
    report = Report("CUB in here", [ROWS[0], Check("att", state, "x")])
    assert report.is_usable is is_usable
    verdict = report.text().splitlines()[-1]
    assert verdict.startswith("can be trained on" if is_usable else "cannot be trained on yet: att")


def test_figures_stand_beside_those_of_the_paper() -> None:
    lines = Report("CUB", ROWS[:1], [("attributes", "4", "312")], ("Table 2", "here", "paper")).text().splitlines()
    assert lines[0] == "CUB"
    assert lines[-4:-2] == ["Table 2     here  paper", "attributes  4     312"]


def test_a_row_is_a_line_of_an_error_message() -> None:
    assert ROWS[1].problem == "photos: got 3 of 42, expected 42; copy images/ here"
    assert Check("x", "wrong", "1").problem == "x: got 1"
