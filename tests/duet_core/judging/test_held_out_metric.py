"""What held-out photos are answered when the model's class vectors have unit length in a metric of their own."""

from __future__ import annotations

import dataclasses

import numpy as np

from duet_core.judging.photos import Photos
from tests.duet_core.judging.made_held_out import made_held_out
from tests.made_metric import made_metric


def test_classes_are_scored_by_their_vectors_in_the_metric() -> None:
    plain = made_held_out(1)
    metric = made_metric(3, plain.v.shape[1], 4)
    assert metric.factor is not None
    held_out = dataclasses.replace(plain, metric=metric)
    degrees = plain.benchmark.class_vectors[plain.candidates].astype(np.float64)
    lengths = np.sqrt([sum(float(row @ d) ** 2 for row in metric.factor.astype(np.float64)) for d in degrees])
    expected = plain.v.astype(np.float64) @ degrees.T / lengths
    np.testing.assert_allclose(held_out.scores, expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(held_out.scores, plain.scores, rtol=0.1)
    handicap = np.where(np.arange(len(plain.candidates)) < len(plain.split.seen_classes), plain.gamma, 0.0)
    own = expected - handicap
    np.testing.assert_array_equal(held_out.predicted, plain.candidates[own.argmax(axis=1)])
    seen, label = plain.is_seen, plain.label
    rights = held_out.predicted == label
    by_class = [rights[~seen & (label == row)].mean() for row in plain.split.unseen_classes]
    assert np.isclose(held_out.metrics.U, np.mean(by_class))


def test_photos_in_coordinates_have_the_same_scores() -> None:
    plain = made_held_out(1)
    metric = made_metric(3, plain.v.shape[1], 4)
    assert metric.factor is not None
    z = metric.unit(plain.benchmark.class_vectors)
    v = (np.random.default_rng(0).normal(size=(5, 4)) @ metric.factor).astype(np.float32)  # what such a model predicts
    photos = Photos(v, v, np.zeros(5, dtype=np.int64)).coordinates(metric)
    np.testing.assert_allclose(photos.v @ metric.class_coordinates(z).T, v @ z.T, rtol=1e-3, atol=1e-4)
