"""Prototypes against explicit loops, and what they are for: classes without photos found among made ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from duet_core.prototypes import Prototypes, fit_prototypes
from duet_core.runtime.metric import Metric

DoubleArray = NDArray[np.float64]
RIDGE, SHRINKAGE = 0.4, 0.7


@dataclass(frozen=True)
class Made:
    """n photos of some of C classes."""

    states: DoubleArray
    labels: NDArray[np.int64]
    z: DoubleArray

    def fit(self, *, ridge: float = RIDGE, shrinkage: float = SHRINKAGE) -> Prototypes:
        return fit_prototypes(self.states, self.labels, self.z, ridge=ridge, shrinkage=shrinkage)


def made(seed: int, *, features: int = 6, attributes: int = 5, classes: int = 6, photos: int = 30) -> Made:
    """Classes 0 and 3 have no photos; the others have differently many."""
    generator = np.random.default_rng(seed)
    z = generator.random((classes, attributes)) + 0.1
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    seen = np.setdiff1d(np.arange(classes), [0, 3])
    labels = np.concatenate([seen, generator.choice(seen, photos - len(seen), p=np.arange(1, 5) / 10)])
    states = generator.normal(size=(classes, features))[labels] * 2 + generator.normal(size=(photos, features)) + 3
    return Made(states, labels, z)


def slow_fit(data: Made, ridge: float, shrinkage: float) -> tuple[DoubleArray, DoubleArray, DoubleArray, DoubleArray]:
    """f̄ (F,), M (F, A), Σ (F, F) and G (A, A), photo by photo and class by class; M by its normal equations."""
    features, attributes = data.states.shape[1], data.z.shape[1]
    centre: DoubleArray = sum(data.states, np.zeros(features)) / len(data.states)
    seen = sorted(set(data.labels.tolist()))
    shared = sum(data.z[row] for row in seen)
    shared = shared / np.sqrt(shared @ shared)
    means, away = {}, {}
    for row in seen:
        own = [state for state, label in zip(data.states, data.labels, strict=True) if label == row]
        means[row] = sum(own) / len(own)
        away[row] = data.z[row] - (data.z[row] @ shared) * shared
    unit = sum(float(a @ a) for a in away.values()) / len(seen)
    normal, right = ridge * unit * np.eye(attributes), np.zeros((features, attributes))
    for row in seen:
        normal = normal + np.outer(away[row], away[row])
        right = right + np.outer(means[row] - centre, away[row])
    regression = right @ np.linalg.inv(normal)
    spread = np.zeros((features, features))
    for state, label in zip(data.states, data.labels.tolist(), strict=True):
        spread = spread + np.outer(state - means[label], state - means[label]) / len(data.states)
    spread = spread + shrinkage * sum(float(spread[i, i]) for i in range(features)) / features * np.eye(features)
    return centre, np.asarray(regression), spread, np.asarray(regression.T @ np.linalg.inv(spread) @ regression)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), ridge=st.floats(0.01, 10), shrinkage=st.floats(0.01, 20))
def test_the_fit_is_that_of_explicit_loops(seed: int, ridge: float, shrinkage: float) -> None:
    data = made(seed)
    centre, regression, spread, metric = slow_fit(data, ridge, shrinkage)
    fitted = data.fit(ridge=ridge, shrinkage=shrinkage)
    seen = sorted(set(data.labels.tolist()))
    lengths = [np.sqrt(data.z[row] @ metric @ data.z[row]) / np.sqrt(data.z[row] @ data.z[row]) for row in seen]
    scale = sum(lengths) / len(seen)
    weight, metric = regression.T @ np.linalg.inv(spread) / scale, metric / scale**2
    np.testing.assert_allclose(fitted.weight, weight, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fitted.bias, -weight @ centre, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(fitted.metric.T @ fitted.metric, metric, rtol=1e-6, atol=1e-8)
    assert len(fitted.metric) == np.linalg.matrix_rank(metric, tol=1e-9 * np.linalg.norm(metric, 2)) <= 3


def test_scores_are_lengths_times_cosines_in_the_metric_of_the_spread() -> None:
    """v·z/|z|_G, as the service computes it, for every class, also those without photos."""
    data = made(4)
    centre, regression, spread, metric = slow_fit(data, RIDGE, SHRINKAGE)
    fitted = data.fit()
    vectors = Metric(fitted.metric.astype(np.float32)).unit(data.z.astype(np.float32))  # (C, A)
    for state in data.states:
        v = fitted.weight @ state + fitted.bias
        for z, vector in zip(data.z, vectors, strict=True):
            prototype = regression @ z
            expected = (state - centre) @ np.linalg.inv(spread) @ prototype / np.sqrt(z @ metric @ z)
            length = np.sqrt((state - centre) @ np.linalg.inv(spread) @ (state - centre))
            assert abs(expected) <= length * (1 + 1e-9)
            assert v @ z / np.linalg.norm(fitted.metric @ z) == pytest.approx(expected, rel=1e-6, abs=1e-9)
            assert v @ vector == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_only_classes_with_photos_are_looked_at_and_their_order_means_nothing() -> None:
    data = made(2)
    others, shuffled = data.z.copy(), np.random.default_rng(0).permutation(len(data.labels))
    others[[0, 3]] = np.nan
    for same in (Made(data.states, data.labels, others), Made(data.states[shuffled], data.labels[shuffled], data.z)):
        np.testing.assert_allclose(same.fit().weight, data.fit().weight, rtol=1e-8, atol=1e-10)
    relabelled = Made(data.states, len(data.z) - 1 - data.labels, data.z[::-1])
    np.testing.assert_allclose(relabelled.fit().weight, data.fit().weight, rtol=1e-8, atol=1e-10)


def test_the_scale_of_class_vectors_and_the_origin_of_states_mean_nothing() -> None:
    data = made(3)
    first, scaled = data.fit(), Made(data.states, data.labels, 250 * data.z).fit()
    shifted, far = Made(data.states + 7, data.labels, data.z).fit(), data.states + 7
    for classes in (data.z, 250 * data.z):
        for other, states in ((scaled, data.states), (shifted, far)):
            scores = [
                (given @ fitted.weight.T + fitted.bias) @ classes.T / np.linalg.norm(classes @ fitted.metric.T, axis=1)
                for fitted, given in ((first, data.states), (other, states))
            ]
            np.testing.assert_allclose(scores[1], scores[0], rtol=1e-6, atol=1e-8)


def gaussian(seed: int = 0) -> tuple[Made, DoubleArray, NDArray[np.int64], NDArray[np.int64]]:
    """Photos of 60 classes to fit to, new photos with their labels, and the classes that had no photos."""
    generator = np.random.default_rng(seed)
    classes, attributes, features = 75, 12, 40
    z = generator.random((classes, attributes)) ** 2
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    centres = z @ generator.normal(size=(attributes, features)) * 3 + 5
    mixing = generator.normal(size=(features, features)) * np.geomspace(2.0, 0.02, features)  # spread is no sphere
    unseen = np.arange(0, classes, 5)

    def photos(labels: NDArray[np.int64]) -> DoubleArray:
        noise: DoubleArray = generator.normal(size=(len(labels), features)) @ mixing.T * 0.3
        return np.asarray(centres[labels] + noise)

    labels = np.repeat(np.setdiff1d(np.arange(classes), unseen), 20)
    asked = np.repeat(np.arange(classes), 10)
    return Made(photos(labels), labels, z), photos(asked), asked, unseen


def test_classes_without_photos_are_recognised() -> None:
    data, states, labels, unseen = gaussian()
    fitted = data.fit(ridge=0.01, shrinkage=0.01)
    vectors = data.z / np.linalg.norm(data.z @ fitted.metric.T, axis=1, keepdims=True)
    answers = ((states @ fitted.weight.T + fitted.bias) @ vectors.T).argmax(axis=1)
    of_unseen = np.isin(labels, unseen)
    assert (answers == labels)[of_unseen].mean() > 0.97
    assert (answers == labels)[~of_unseen].mean() > 0.97


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("name", ["ridge", "shrinkage"])
def test_parameters_out_of_range_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"prototypes\.{name}: got {value}; allowed is above 0"):
        made(0).fit(**{name: value})


def test_one_class_is_too_few() -> None:
    data = made(0)
    one = data.labels == 1
    with pytest.raises(ValueError, match="1 classes have photos; prototypes need at least two"):
        Made(data.states[one], data.labels[one], data.z).fit()
