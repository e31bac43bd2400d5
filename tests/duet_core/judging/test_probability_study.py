"""Calibration error, risk curves and sets of classes as the command prints them."""

from __future__ import annotations

import numpy as np
import pytest

from duet_core.judging.probability_study import (
    calibration_error,
    compare_sets,
    judge_sets,
    nonconformities,
    risk_curves,
)
from duet_core.runtime.calibration import Calibration

CALIBRATION = Calibration(
    gamma=0.0,
    temperature=0.5,
    threshold=0.0,
    false_reject_rate=0.05,
    ece_before=0.1,
    ece_after=0.1,
    split="x",
    n_photos=1,
)


def cells(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]


def world(photos: int = 800) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of photos of 4 seen and 4 unseen classes; those of unseen ones are wrong more often."""
    generator = np.random.default_rng(0)
    is_seen = np.arange(photos) < photos // 2
    label = np.where(is_seen, generator.integers(0, 4, photos), generator.integers(4, 8, photos))
    scores = generator.normal(size=(photos, 8)) * np.where(is_seen, 0.5, 1.0)[:, None]
    scores[np.arange(photos), label] += 1.5
    return scores, label, is_seen


def test_error_and_accuracy_of_either_group() -> None:
    scores, label, is_seen = world()
    seen, unseen = cells(calibration_error(scores, label, is_seen, CALIBRATION))
    assert (seen[0], unseen[0]) == ("seen", "unseen")
    assert float(seen[2]) == pytest.approx((scores.argmax(axis=1) == label)[is_seen].mean(), abs=1e-3)
    assert float(seen[2]) > float(unseen[2])


def test_sets_reach_what_was_wanted_only_with_photos_of_their_own_group() -> None:
    scores, label, is_seen = world()
    rows = {
        (row[0], float(row[1])): [float(value) for value in row[2:]]
        for row in cells(judge_sets(scores, label, is_seen, CALIBRATION))
    }
    for wanted in (0.8, 0.9, 0.95):
        own = rows["labelled photos, each group its own", wanted]
        assert own[2] == pytest.approx(wanted, abs=0.04)
        borrowed = rows["labelled photos of seen classes only", wanted]
        assert borrowed[2] < wanted - 0.03


def test_every_kind_of_set_reaches_its_coverage() -> None:
    scores, label, _ = world()
    for row in cells(compare_sets(scores, label, 0.5)):
        assert float(row[2]) >= float(row[1]) - 0.03, row
    assert (nonconformities(0.5)["margin"](scores).min(axis=1) == 0).all()


def test_a_confidence_that_knows_has_the_smaller_area() -> None:
    scores, label, is_seen = world()
    correct = scores.argmax(axis=1) == label
    text, curves = risk_curves({"oracle": correct.astype(float), "none": np.zeros(len(label))}, correct, is_seen)
    table = {(row[0], row[1]): float(row[-1]) for row in cells(text)}
    for group in ("seen", "unseen"):
        assert table[group, "oracle"] < table[group, "none"]
        assert f"{group}, by oracle" in curves
