"""AUROC and risk-coverage against the slow definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.judging.curves import area, auroc, draw_curves, risk_coverage

values = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(known=values, foreign=values)
def test_auroc_is_the_share_of_pairs_in_order(known: list[int], foreign: list[int]) -> None:
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(known, foreign)]
    assert auroc(known, foreign) == pytest.approx(np.mean(pairs))


@settings(max_examples=60, deadline=None)
@given(data=st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=20))
def test_risk_is_the_share_of_wrong_answers_among_the_sure_ones(data: list[tuple[int, bool]]) -> None:
    confidence, correct = np.array([row[0] for row in data]), np.array([row[1] for row in data])
    coverage, risk = risk_coverage(confidence, correct)
    for threshold in set(confidence.tolist()):
        answered = confidence >= threshold
        place = np.flatnonzero(np.isclose(coverage, answered.mean()))
        assert len(place)
        assert risk[place[0]] == pytest.approx((~correct[answered]).mean())
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx((~correct).mean())


def test_area_of_a_perfect_and_of_a_blind_order() -> None:
    correct = np.arange(100) < 80
    coverage, risk = risk_coverage(-np.arange(100), correct)
    assert area(coverage, risk) < 0.03
    assert area(*risk_coverage(np.zeros(100), correct)) == pytest.approx(0.2)


def test_the_drawing_has_a_line_for_each_curve() -> None:
    curve = risk_coverage(np.arange(50), np.arange(50) > 10)
    drawn = draw_curves({"seen": curve, "unseen": curve})
    assert drawn.count("<polyline") == 2
    assert ">unseen</text>" in drawn
