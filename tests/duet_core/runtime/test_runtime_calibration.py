"""calibration.json: what older bundles lack is None, what is there is checked."""

from __future__ import annotations

from typing import Any

import pytest

from duet_core.runtime.calibration import Calibration, CalibrationError
from tests.tiny_bundle import CALIBRATION

MARGINS = [value / 100 for value in range(101)]


def test_an_older_file_is_read_and_written_back_unchanged() -> None:
    calibration = Calibration.from_json(CALIBRATION)
    assert calibration.margins_seen is None
    assert calibration.to_json() == CALIBRATION


def test_a_newer_file_is_read_and_written_back_unchanged() -> None:
    percentiles = dict.fromkeys(("margins_seen", "margins_unseen", "evidence_percentiles"), MARGINS)
    data = CALIBRATION | {"evidence": "centred_cosine", "n_seen": 4} | percentiles
    assert Calibration.from_json(data).to_json() == data


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"evidence": "best_guess"}, "knows only 'max_cosine' or 'centred_cosine'"),
        ({"margins_seen": MARGINS[:-1]}, "margins_seen: 100 numbers; 101 in ascending order"),
        ({"margins_seen": MARGINS[::-1]}, "101 in ascending order"),
        ({"evidence_percentiles": MARGINS[::-1]}, "evidence_percentiles: 101 numbers; 101 in ascending order"),
        ({"margins_unseen": "many"}, "a list of numbers is needed"),
        ({"ece_seen_after": "small"}, "a number is needed"),
        ({"n_seen": True}, "a number is needed"),
        ({"more": 1.0}, r"unknown entries \['more'\]"),
    ],
)
def test_what_cannot_be_used_is_named(change: dict[str, Any], told: str) -> None:
    with pytest.raises(CalibrationError, match=told):
        Calibration.from_json(CALIBRATION | change)


def test_a_missing_entry_is_named() -> None:
    with pytest.raises(CalibrationError, match=r"missing entries \['gamma'\]"):
        Calibration.from_json({name: value for name, value in CALIBRATION.items() if name != "gamma"})
