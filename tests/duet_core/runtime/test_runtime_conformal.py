"""Sets hold the right class as often as they promise, in either group, and say when too few photos are there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.classes import FloatArray, IntArray, unit_rows
from duet_core.runtime.conformal import (
    CoverageError,
    bounds,
    margins,
    order_statistic,
    percentile_bounds,
    photos_needed,
    prediction_set,
)
from duet_core.runtime.scoring import ClassSet, score_candidates

GAMMA = 0.3


def world(classes: int = 12, attributes: int = 10) -> ClassSet:
    generator = np.random.default_rng(1)
    return ClassSet(
        ids=tuple(f"class-{i}" for i in range(classes)),
        labels=tuple(f"Class {i}" for i in range(classes)),
        seen=np.arange(classes) < classes // 2,
        z=unit_rows(generator.random((classes, attributes)).astype(np.float32)),
    )


def photos(class_set: ClassSet, rows: IntArray, generator: np.random.Generator) -> FloatArray:
    """Photos of unseen classes are noisier, so that one margin for both groups would fail them."""
    noise = np.where(class_set.seen[rows], 0.7, 1.2)[:, None]
    return (3 * class_set.z[rows] + noise * generator.normal(size=(len(rows), class_set.z.shape[1]))).astype(np.float32)


@pytest.mark.parametrize("coverage", [0.7, 0.9])
def test_either_group_is_covered_as_promised(coverage: float) -> None:
    class_set, generator = world(), np.random.default_rng(7)
    held: dict[bool, list[bool]] = {True: [], False: []}
    sizes = []
    for _ in range(60):
        rows = generator.integers(0, len(class_set), 200)
        found = margins(photos(class_set, rows, generator), rows, class_set, gamma=GAMMA)
        limits = bounds(found, class_set.seen[rows], coverage)
        assert limits.pooled == ()
        test_rows = generator.integers(0, len(class_set), 40)
        for v, row in zip(photos(class_set, test_rows, generator), test_rows, strict=True):
            chosen = prediction_set(score_candidates(v, class_set, gamma=GAMMA), class_set, limits)
            held[bool(class_set.seen[row])].append(row in chosen)
            sizes.append(len(chosen))
    for group in held.values():
        assert coverage - 0.03 < np.mean(group) < coverage + 0.05
    assert 1 <= np.mean(sizes) < len(class_set)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), gamma=st.floats(-1, 1))
def test_a_labelled_photo_is_in_its_set_when_its_margin_is_within(seed: int, gamma: float) -> None:
    class_set, generator = world(), np.random.default_rng(seed)
    rows = generator.integers(0, len(class_set), 30)
    v = photos(class_set, rows, generator)
    found = margins(v, rows, class_set, gamma=gamma)
    limits = bounds(found, class_set.seen[rows], 0.5)
    for photo, row, margin in zip(v, rows, found, strict=True):
        scores = score_candidates(photo, class_set, gamma=gamma)
        chosen = prediction_set(scores, class_set, limits).tolist()
        limit = limits.seen if class_set.seen[row] else limits.unseen
        if abs(margin - limit) > 1e-5:
            assert (row in chosen) == (margin <= limit)
        assert chosen[0] == scores.rows[int(scores.calibrated.argmax())]


def test_only_candidates_count() -> None:
    class_set = world()
    rows = np.array([7, 8, 11])
    v = photos(class_set, rows, np.random.default_rng(0))
    few = ClassSet(ids=tuple("abcdef"), labels=tuple("ABCDEF"), seen=np.zeros(6, dtype=bool), z=class_set.z[6:])
    np.testing.assert_allclose(
        margins(v, rows, class_set, gamma=9.0, candidates="unseen"), margins(v, rows - 6, few, gamma=0.0), atol=1e-6
    )


def test_the_order_statistic_is_that_of_split_conformal_prediction() -> None:
    values = np.arange(10, 0, -1) / 10
    assert order_statistic(values, 0.9) == 1.0  # ceil(11 * 0.9) = 10th of 10
    assert order_statistic(values, 0.5) == 0.6
    assert order_statistic(values, 0.95) is None
    assert [photos_needed(coverage) for coverage in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]
    for coverage in (0.5, 0.8, 0.9, 0.95, 0.99):
        needed = photos_needed(coverage)
        assert order_statistic(np.zeros(needed), coverage) == 0
        assert order_statistic(np.zeros(needed - 1), coverage) is None


def test_too_few_photos_of_a_group_are_helped_out_and_said() -> None:
    found, seen = np.arange(12) / 10, np.arange(12) < 10
    limits = bounds(found, seen, 0.8)
    assert limits.pooled == ("unseen",)
    assert (limits.seen, limits.unseen) == (0.8, 1.0)
    assert bounds(found, seen, 0.8, ["seen"]).pooled == ()
    with pytest.raises(CoverageError, match=r"12 labelled photos; a coverage of 0\.95 needs at least 19"):
        bounds(found, seen, 0.95)
    with pytest.raises(CoverageError, match="less than 1"):
        bounds(found, seen, 1.0)


def test_percentiles_of_a_bundle() -> None:
    limits = percentile_bounds(np.linspace(0, 1, 101).tolist(), np.linspace(0, 2, 101).tolist(), 0.9)
    assert limits.seen == pytest.approx(0.9)
    assert limits.unseen == pytest.approx(1.8)
