"""The fewest edits are the fewest: compared with all subsets, tried one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize

from duet_core.runtime.counterfactual import fewest_degree_edits, fewest_photo_edits

DoubleArray = NDArray[np.float64]


def best_score(v: DoubleArray, degrees: DoubleArray, rows: tuple[int, ...]) -> float:
    """The highest v·d/|d| when only these degrees may move in 0…1, by a numerical search from many starts."""
    generator = np.random.default_rng(0)

    def score(values: DoubleArray) -> float:
        edited = degrees.copy()
        edited[list(rows)] = values
        norm = float(np.linalg.norm(edited))
        return float(v @ edited) / norm if norm > 1e-9 else -10.0

    if not rows:
        return score(np.empty(0))
    corners = [np.array(corner, dtype=np.float64) for corner in itertools.product((0.0, 1.0), repeat=len(rows))]
    found = max(score(corner) for corner in corners)
    for start in (*corners, *generator.random((4, len(rows)))):
        inside: DoubleArray = np.clip(start, 0.02, 0.98)
        box = Bounds(np.zeros(len(rows)), np.ones(len(rows)))
        result = minimize(lambda x: -score(x), inside, bounds=box, method="L-BFGS-B")  # type: ignore[call-overload]
        found = max(found, -float(result.fun))
    return found


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.05, 1.3))
def test_no_fewer_degrees_would_do(seed: int, share: float) -> None:
    generator = np.random.default_rng(seed)
    count = 5
    v = generator.normal(0.3, 1.0, count)
    degrees = generator.random(count) * (generator.random(count) < 0.7) + 1e-3
    everything = best_score(v, degrees, tuple(range(count)))
    target = max(share * everything, 0.05)
    edits = fewest_degree_edits(v.astype(np.float32), degrees.astype(np.float32), target)
    v, degrees = v.astype(np.float32).astype(np.float64), degrees.astype(np.float32).astype(np.float64)
    slack = 1e-4  # the numerical search and the bisection end a little short of a tie
    if edits is None:
        assert everything < target + slack
        return
    edited = degrees.copy()
    for edit in edits:
        assert edited[edit.row] == edit.before
        assert 0 <= edit.after <= 1
        edited[edit.row] = edit.after
    assert v @ edited / np.linalg.norm(edited) > target
    for rows in itertools.combinations(range(count), len(edits) - 1) if edits else ():
        assert best_score(v, degrees, rows) < target + slack


def test_lowering_a_degree_can_be_the_shorter_way() -> None:
    v = np.array([1.0, -1.0, 0.5], dtype=np.float32)
    degrees = np.array([1.0, 1.0, 0.5], dtype=np.float32)
    (edit,) = fewest_degree_edits(v, degrees, 1.0) or ()
    assert (edit.row, edit.before, edit.after) == (1, 1.0, 0.0)


def test_normalisation_is_taken_into_account() -> None:
    """Raising a degree that the photo shows only a little lowers the score: z keeps length 1."""
    v = np.array([1.0, 0.1], dtype=np.float32)
    degrees = np.array([1.0, 0.0], dtype=np.float32)
    assert fewest_degree_edits(v, degrees, 0.999) == ()
    assert fewest_degree_edits(v, degrees, 1.01) is None  # the longest score possible is |v| = 1.005
    (edit,) = fewest_degree_edits(v, degrees, 1.004) or ()
    assert edit.row == 1
    assert edit.after == pytest.approx(0.1, abs=0.05)


def test_a_target_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        fewest_degree_edits(np.ones(2, dtype=np.float32), np.ones(2, dtype=np.float32), 0.0)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), needed=st.floats(0, 4))
def test_no_fewer_attributes_of_the_photo_would_do(seed: int, needed: float) -> None:
    generator = np.random.default_rng(seed)
    v, away = generator.normal(0.5, 1.0, 6).astype(np.float32), generator.normal(size=6).astype(np.float32)
    most = generator.random(6).astype(np.float32) * 2
    ends = [np.maximum(most, v), np.minimum(0, v)]
    gain = np.maximum(*((end - v) * away for end in ends)).astype(np.float64)
    edits = fewest_photo_edits(v, away, needed, most)
    possible = [
        rows
        for size in range(7)
        for rows in itertools.combinations(range(6), size)
        if gain[list(rows)].sum() > needed + 1e-9
    ]
    if edits is None:
        assert possible == []
        return
    assert len(edits) == max(1, len(possible[0]))
    reached = sum((edit.after - edit.before) * float(away[edit.row]) for edit in edits)
    assert reached > needed
