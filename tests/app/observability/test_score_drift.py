"""The index is small while photos are like the calibration's, large when they are not, and comes back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np
import pytest

from app.observability.score_drift import ENOUGH, WINDOW, ScoreDrift
from duet_core.runtime.calibration import Calibration
from tests.tiny_bundle import CALIBRATION

ALERT = 0.25
RANDOM = np.random.default_rng(7)
WITHOUT = Calibration.from_json(CALIBRATION)
LIKE = RANDOM.normal(0.75, 0.1, 2_000)
THRESHOLD = float(np.percentile(LIKE, 5))
WITH = dataclasses.replace(
    WITHOUT, threshold=THRESHOLD, evidence_percentiles=tuple(np.percentile(LIKE, range(101)).tolist())
)
TWO_BINS = dataclasses.replace(WITHOUT, threshold=THRESHOLD)


def after(calibration: Calibration, values: Iterable[float], window: int = WINDOW) -> ScoreDrift:
    drift = ScoreDrift(calibration, window)
    for value in values:
        drift.observe(value)
    return drift


@pytest.mark.parametrize("calibration", [WITH, TWO_BINS], ids=["percentiles", "threshold alone"])
def test_photos_like_the_calibrations_do_not_drift(calibration: Calibration) -> None:
    for many in (ENOUGH, WINDOW):
        for _ in range(20):
            assert after(calibration, RANDOM.choice(LIKE, many)).index < ALERT / 2


@pytest.mark.parametrize("calibration", [WITH, TWO_BINS], ids=["percentiles", "threshold alone"])
def test_weaker_evidence_drifts(calibration: Calibration) -> None:
    drift = after(calibration, RANDOM.choice(LIKE, WINDOW) - 0.1)
    assert drift.index > ALERT
    assert drift.reject_rate > 0.2


def test_a_shift_that_refuses_nothing_is_seen_with_percentiles_only() -> None:
    shifted = RANDOM.choice(LIKE, WINDOW) * 0.3 + 0.65
    assert after(WITH, shifted).index > ALERT
    assert after(TWO_BINS, shifted).reject_rate == 0


def test_the_index_is_that_of_its_definition() -> None:
    values = RANDOM.choice(LIKE, 700) - 0.04
    edges = np.percentile(LIKE, range(10, 100, 10))
    share = (np.histogram(values, [-np.inf, *edges, np.inf])[0] + 0.5) / (700 + 5)
    expected = np.diff([0.0, *((np.percentile(LIKE, range(101))[:, None] < edges).mean(axis=0)), 1.0])
    assert after(WITH, values).index == pytest.approx(float(((share - expected) * np.log(share / expected)).sum()))


def test_old_answers_are_forgotten() -> None:
    drift = after(WITH, [*(RANDOM.choice(LIKE, 300) - 0.5), *RANDOM.choice(LIKE, 300)], window=300)
    assert drift.index < ALERT / 2
    assert drift.reject_rate < 0.1


def test_few_answers_say_nothing() -> None:
    assert math.isnan(after(WITH, []).reject_rate)
    assert math.isnan(after(WITH, RANDOM.choice(LIKE, ENOUGH - 1)).index)
    assert after(WITH, [THRESHOLD, THRESHOLD - 1e-9]).reject_rate == 0.5  # at the threshold is accepted


def test_equal_percentiles_make_fewer_bins() -> None:
    flat = dataclasses.replace(WITHOUT, evidence_percentiles=(0.2,) * 50 + (0.9,) * 51)
    assert after(flat, [0.2, 0.9] * ENOUGH).index < 0.01
    assert after(flat, [0.2] * ENOUGH).index > ALERT
    same = dataclasses.replace(WITHOUT, evidence_percentiles=(0.5,) * 101)
    assert after(same, [0.1] * ENOUGH).index == 0
