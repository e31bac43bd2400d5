"""Edits in a metric of the model's own against brute force: they win, none is idle, and none are overlooked."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize

from duet_core.classes import FloatArray
from duet_core.runtime.counterfactual import Edit, fewest_degree_edits
from duet_core.runtime.degree_edits import degree_edits
from duet_core.runtime.metric import EUCLIDEAN, Metric
from tests.made_metric import gram, made_metric, predictable

DoubleArray = NDArray[np.float64]
MARGIN = 0.05
"""Share of the target by which brute force must pass it before a missed set counts as overlooked."""
LEVELS = 7
SEEDS = st.integers(0, 100_000)


class BruteForce:
    """The best score v·d/|d|_G when only some degrees may move: a grid, and a numerical search from its best points."""

    def __init__(self, v: FloatArray, degrees: FloatArray, metric: Metric) -> None:
        self.v, self.degrees, self.gram = v.astype(np.float64), degrees.astype(np.float64), gram(metric)

    def score(self, degrees: DoubleArray) -> DoubleArray:
        """(n,) of degrees (n, A); as bad as can be where nothing is left of them."""
        squares = np.einsum("ni,ij,nj->n", degrees, self.gram, degrees)
        away = squares > 1e-12
        return np.where(away, degrees @ self.v / np.sqrt(np.where(away, squares, 1.0)), -np.inf)

    def best(self, rows: Sequence[int]) -> float:
        if not len(rows):
            return float(self.score(self.degrees[None])[0])
        count = len(rows) if len(rows) <= 4 else 0
        levels = [np.linspace(0, 1, LEVELS)] * count
        inner = (
            np.array(list(itertools.product(*levels))) if count else np.random.default_rng(0).random((500, len(rows)))
        )
        points = np.repeat(self.degrees[None], len(inner), axis=0)
        points[:, list(rows)] = inner
        scores = self.score(points)
        found = [float(scores.max())]
        found += [self._search(rows, inner[place]) for place in np.argsort(-scores)[:2]]
        return max(found)

    def _search(self, rows: Sequence[int], start: DoubleArray) -> float:
        """The nearest best point; its score is known with its slope, so that many rows take no time."""
        chosen = list(rows)

        def loss(values: DoubleArray) -> tuple[float, DoubleArray]:
            edited = self.degrees.copy()
            edited[chosen] = values
            along = self.gram @ edited
            length = float(np.sqrt(max(float(edited @ along), 1e-12)))
            score = float(self.v @ edited) / length
            return -score, -(self.v / length - score * along / length**2)[chosen]

        box = Bounds(np.zeros(len(chosen)), np.ones(len(chosen)))
        inside = np.clip(start, 0.01, 0.99)
        return -float(minimize(loss, inside, jac=True, bounds=box, method="L-BFGS-B").fun)


def applied(degrees: FloatArray, edits: tuple[Edit, ...]) -> DoubleArray:
    """The degrees after the edits, each of which is of a row of its own, within 0…1, and a change."""
    edited = degrees.astype(np.float64)
    assert len({edit.row for edit in edits}) == len(edits)
    for edit in edits:
        assert edited[edit.row] == edit.before != edit.after
        assert 0 <= edit.after <= 1
        edited[edit.row] = edit.after
    return edited


def made(seed: int, attributes: int, rank: int, shared: float) -> tuple[FloatArray, FloatArray, Metric]:
    """What a photo shows, the degrees of a class, of which a third are 0, and the metric."""
    metric, generator = made_metric(seed, attributes, rank, shared=shared), np.random.default_rng(seed + 1)
    degrees = generator.random(attributes) * (generator.random(attributes) < 0.67) + 1e-3
    return predictable(seed + 2, metric)[0], degrees.astype(np.float32), metric


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=SEEDS,
    shape=st.integers(2, 5).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count))),
    shared=st.sampled_from([0.0, 1.0, 4.0]),
    share=st.floats(0.05, 1.2),
)
def test_edits_win_and_none_can_be_left_out(seed: int, shape: tuple[int, int], shared: float, share: float) -> None:
    v, degrees, metric = made(seed, *shape, shared)
    force = BruteForce(v, degrees, metric)
    most, now = force.best(range(shape[0])), force.best(())
    target = max(share * most, 0.01 * float(np.abs(v).max()))
    edits = degree_edits(v, degrees, target, metric)
    if edits is None:
        assert most <= target * (1 + MARGIN)
        return
    assert force.score(applied(degrees, edits)[None])[0] > target
    if now > target * (1 + MARGIN):
        assert edits == ()
    rows = [edit.row for edit in edits]
    for fewer in itertools.combinations(rows, len(rows) - 1) if rows else ():  # with less still less is reached
        assert force.best(fewer) <= target * (1 + MARGIN)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(seed=SEEDS, share=st.floats(0.5, 0.9), shared=st.sampled_from([0.0, 2.0]))
def test_among_many_attributes_that_interact_a_way_is_found(seed: int, share: float, shared: float) -> None:
    """As in a real model: many more attributes than directions that the prototypes lie in."""
    attributes = 40
    v, degrees, metric = made(seed, attributes, 10, shared)
    force = BruteForce(v, degrees, metric)
    target = share * force.best(range(attributes))
    edits = degree_edits(v, degrees, target, metric)
    assert edits is not None
    assert force.score(applied(degrees, edits)[None])[0] > target


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS, share=st.floats(0.1, 1.2))
def test_in_euclids_metric_they_are_the_fewest(seed: int, share: float) -> None:
    generator = np.random.default_rng(seed)
    v = generator.normal(0.3, 1.0, 5).astype(np.float32)
    degrees = (generator.random(5) + 1e-3).astype(np.float32).clip(0, 1)
    target = share * float(np.linalg.norm(v.clip(0)) + 0.1)
    fewest = fewest_degree_edits(v, degrees, target)
    assert degree_edits(v, degrees, target, EUCLIDEAN) == fewest
    same = degree_edits(v, degrees, target, Metric(np.eye(5, dtype=np.float32)))  # Euclid's, searched greedily
    if fewest is None or same is None:
        best = BruteForce(v, degrees, Metric(np.eye(5, dtype=np.float32))).best(range(5))
        assert best <= target * (1 + MARGIN)
        return
    assert len(same) >= len(fewest)
    edited = applied(degrees, same)
    assert v.astype(np.float64) @ edited / np.linalg.norm(edited) > target


@given(seed=SEEDS, share=st.floats(0.01, 0.999))
@settings(max_examples=40, deadline=None)
def test_nothing_is_edited_where_the_class_wins_already(seed: int, share: float) -> None:
    v, degrees, metric = made(seed, 5, 4, 1.0)
    v = np.where(v @ degrees > 0, v, -v)
    score = BruteForce(v, degrees, metric).best(())
    assert degree_edits(v, degrees, share * score, metric) == ()


@pytest.mark.parametrize("metric", [EUCLIDEAN, made_metric(0, 3)], ids=["Euclid", "own"])
@pytest.mark.parametrize("target", [0.0, -0.5, float("nan")])
def test_a_target_that_is_not_above_0_is_refused(metric: Metric, target: float) -> None:
    with pytest.raises(ValueError, match=f"target {target}; it must be above 0"):
        degree_edits(np.ones(3, dtype=np.float32), np.ones(3, dtype=np.float32), target, metric)


def test_an_attribute_can_be_raised_for_another_that_it_stands_against() -> None:
    """Two attributes say nearly the same: what the photo lacks of one is made good by less of the other."""
    metric = Metric(np.array([[1.0, 0.9, 0.0], [0.0, 0.44, 0.0], [0.0, 0.0, 1.0]], dtype=np.float32))
    v = np.array([1.0, 0.4, 0.0], dtype=np.float32)
    degrees = np.array([0.5, 0.5, 0.0], dtype=np.float32)
    now = float(BruteForce(v, degrees, metric).best(()))
    (edit,) = degree_edits(v, degrees, now * 1.1, metric) or ()
    assert (edit.row, edit.before) == (1, 0.5) or edit.row == 0
    assert edit.after < 0.5 if edit.row == 1 else edit.after > 0.5


def test_the_most_helpful_edit_comes_first() -> None:
    v, degrees, metric = made(5, 12, 8, 0.0)
    target = 0.9 * BruteForce(v, degrees, metric).best(range(12))
    edits = degree_edits(v, degrees, target, metric) or ()
    assert len(edits) > 1
    gains = [abs(float(v[edit.row]) * (edit.after - edit.before)) for edit in edits]
    assert gains == sorted(gains, reverse=True)


def test_a_target_little_below_the_best_possible_score_is_reached() -> None:
    metric = made_metric(2, 5, 3)
    degrees = np.array([0.001, 0.6163851, 0.001, 0.99820995, 0.98183537], dtype=np.float32)
    v = predictable(9, metric)[0]
    target = 0.99 * BruteForce(v, degrees, metric).best(range(5))
    assert degree_edits(v, degrees, target, metric) is not None
