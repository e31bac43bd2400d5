"""Metrics of class vectors: unit rows, coordinates with the same products, and what has no length."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.classes import ClassTableError, FloatArray, unit_rows
from duet_core.runtime import class_vector
from duet_core.runtime.metric import EUCLIDEAN, LEAST_STRETCH, Metric
from tests.made_metric import gram, made_metric, predictable

SEEDS = st.integers(0, 10_000)
SHAPES = st.integers(2, 9).flatmap(lambda attributes: st.tuples(st.just(attributes), st.integers(1, attributes)))


def degrees_of(seed: int, attributes: int, count: int = 4) -> FloatArray:
    return np.random.default_rng(seed).random((count, attributes), dtype=np.float32) + np.float32(0.05)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, shape=SHAPES)
def test_class_vectors_have_length_1_and_the_direction_of_their_degrees(seed: int, shape: tuple[int, int]) -> None:
    metric, degrees = made_metric(seed, *shape), degrees_of(seed, shape[0])
    matrix, lengths, vectors = gram(metric), metric.lengths(degrees), metric.unit(degrees)
    assert vectors.dtype == np.float32
    for row, length, z in zip(degrees.astype(np.float64), lengths, vectors.astype(np.float64), strict=True):
        explicit = math.sqrt(sum(row[i] * matrix[i, j] * row[j] for i in range(len(row)) for j in range(len(row))))
        if explicit < 2 * LEAST_STRETCH * math.sqrt(np.linalg.norm(matrix, 2)) * np.linalg.norm(row):
            continue  # it is given the least length instead: a test of its own
        tolerance = 1e-5 * float(np.linalg.norm(row)) * math.sqrt(float(np.linalg.norm(matrix, 2)))
        assert float(length) == pytest.approx(explicit, abs=tolerance)
        assert math.sqrt(z @ matrix @ z) == pytest.approx(1, abs=2 * tolerance / explicit + 1e-5)
        np.testing.assert_allclose(z * explicit, row, rtol=2 * tolerance / explicit + 1e-5)
    np.testing.assert_allclose(class_vector(degrees[0], metric), vectors[0], rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, shape=SHAPES)
def test_coordinates_have_the_products_of_what_they_stand_for(seed: int, shape: tuple[int, int]) -> None:
    metric = made_metric(seed, *shape)
    z, v = metric.unit(degrees_of(seed, shape[0])), predictable(seed, metric, 3)
    photos, classes = metric.photo_coordinates(v), metric.class_coordinates(z)
    assert (photos.shape, classes.shape) == ((3, shape[1]), (4, shape[1]))
    assert photos.dtype == classes.dtype == np.float64
    scale = np.linalg.norm(v.astype(np.float64), axis=1)[:, None] * np.linalg.norm(z.astype(np.float64), axis=1)
    np.testing.assert_allclose(photos @ classes.T / scale, v.astype(np.float64) @ z.T / scale, atol=1e-5)
    least = metric.lengths(z) > 1.001 * np.linalg.norm(classes, axis=1)  # given the least length instead of its own
    np.testing.assert_allclose(np.linalg.norm(classes, axis=1)[~least], 1, atol=1e-3)
    np.testing.assert_allclose(metric.photo_coordinates(v[0]), photos[0])
    np.testing.assert_allclose(metric.class_coordinates(z[0]), classes[0])


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, shape=SHAPES)
def test_a_photo_just_like_a_class_has_the_cosine_1(seed: int, shape: tuple[int, int]) -> None:
    """The photo whose v is G·z lies where the class's prototype does."""
    metric = made_metric(seed, *shape)
    z = metric.unit(degrees_of(seed, shape[0], 1))
    v = 3 * z.astype(np.float64) @ gram(metric)
    photo, prototype = metric.photo_coordinates(v)[0], metric.class_coordinates(z)[0]
    if np.linalg.norm(prototype) < 0.999:
        return  # it is given the least length instead of its own
    assert photo @ prototype / np.linalg.norm(photo) == pytest.approx(1, abs=1e-3)
    assert np.linalg.norm(photo) == pytest.approx(3, rel=1e-3)


@given(seed=SEEDS, attributes=st.integers(1, 9))
def test_in_euclids_metric_nothing_changes(seed: int, attributes: int) -> None:
    degrees = degrees_of(seed, attributes)
    assert EUCLIDEAN.factor is None
    np.testing.assert_array_equal(EUCLIDEAN.unit(degrees), unit_rows(degrees))
    np.testing.assert_allclose(EUCLIDEAN.lengths(degrees), np.linalg.norm(degrees, axis=1), rtol=1e-6)
    np.testing.assert_array_equal(EUCLIDEAN.photo_coordinates(degrees), degrees)
    np.testing.assert_array_equal(EUCLIDEAN.class_coordinates(degrees), degrees)
    same = Metric(np.eye(attributes, dtype=np.float32))
    np.testing.assert_allclose(same.unit(degrees), EUCLIDEAN.unit(degrees), rtol=1e-6)
    np.testing.assert_allclose(same.photo_coordinates(degrees), degrees, rtol=1e-6)


@pytest.mark.parametrize("metric", [EUCLIDEAN, made_metric(0, 4), made_metric(0, 4, 2)], ids=["Euclid", "full", "low"])
@pytest.mark.parametrize("wrong", [0.0, np.nan, np.inf])
def test_rows_without_a_length_are_refused_by_number(metric: Metric, wrong: float) -> None:
    degrees = degrees_of(0, 4, 6)
    degrees[[1, 3, 4, 5]] = wrong
    with np.errstate(invalid="ignore"):  # infinity less infinity
        with pytest.raises(ClassTableError, match=r"class rows \[1, 3, 4\]"):
            metric.unit(degrees)
        with pytest.raises(ClassTableError):
            class_vector(degrees[1], metric)
    assert metric.unit(degrees[[0, 2]]).shape == (2, 4)


def test_degrees_that_the_model_does_not_know_have_the_least_length() -> None:
    """An attribute that no seen class has is nothing to the prototypes: a column of zeros."""
    factor = np.array([[1, 0.5, 0], [0.2, 1, 0]], dtype=np.float32)
    metric, rows = Metric(factor), np.array([[0, 0, 0.9], [0, 0.1, 0.9]], dtype=np.float32)
    least = LEAST_STRETCH * np.linalg.norm(factor, 2)
    np.testing.assert_allclose(metric.lengths(rows), [0.9 * least, 0.1 * np.hypot(0.5, 1)], rtol=1e-5)
    np.testing.assert_allclose(metric.lengths(metric.unit(rows)), 1, rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_nor_have_those_of_which_only_rounding_is_left(seed: int) -> None:
    """All attributes as strong as in the mean of the seen classes, from which prototypes are centred, say nothing: such
    a class gets no score from rounding."""
    generator = np.random.default_rng(seed)
    mean = generator.random(7) + 0.1
    mean /= np.linalg.norm(mean)
    factor = generator.normal(size=(4, 7))
    factor -= np.outer(factor @ mean, mean)
    metric = Metric(factor.astype(np.float32))
    z = metric.unit((0.8 * mean[None]).astype(np.float32))
    v = generator.normal(size=4) @ factor  # what such a model predicts
    assert abs(float(v @ z[0])) < 1e-3 * np.linalg.norm(metric.photo_coordinates(v[None]))


def test_checksums_are_those_of_the_values() -> None:
    factor = np.arange(6, dtype=np.float32).reshape(2, 3)
    own = Metric(factor).checksum
    assert Metric(factor.copy()).checksum == Metric(np.asfortranarray(factor)).checksum == own
    assert EUCLIDEAN.checksum == Metric().checksum == ""
    assert own not in ("", Metric(factor + 1).checksum)
    assert Metric(np.eye(3, dtype=np.float32)).checksum != ""


def test_checksums_of_metrics_of_other_shapes_differ() -> None:
    factor = np.arange(6, dtype=np.float32)
    assert Metric(factor.reshape(2, 3)).checksum != Metric(factor.reshape(3, 2)).checksum
