"""Metrics of class vectors made by chance, for tests; no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from duet_core.runtime.metric import Metric

DoubleArray = NDArray[np.float64]


def made_metric(seed: int, attributes: int, rank: int | None = None, *, shared: float = 0.0) -> Metric:
    """A metric of this rank (all attributes unless told) whose directions are unlike one another.

    Args:
        shared: how much of every attribute is one and the same direction: with more of it, attributes interact more.
    """
    generator = np.random.default_rng(seed)
    factor = generator.normal(size=(rank or attributes, attributes))
    factor += shared * generator.normal(size=(len(factor), 1))
    scales = np.geomspace(2.0, 0.5, len(factor))  # no direction is for nothing
    return Metric((scales[:, None] * factor).astype(np.float32))


def gram(metric: Metric) -> DoubleArray:
    """(A, A) G of a metric that is not Euclid's."""
    assert metric.factor is not None
    factor = metric.factor.astype(np.float64)
    return np.asarray(factor.T @ factor)


def predictable(seed: int, metric: Metric, count: int = 1) -> NDArray[np.float32]:
    """(count, A) predicted attributes as a model with this metric makes them: G takes part in all of them."""
    assert metric.factor is not None
    inside = np.random.default_rng(seed).normal(size=(count, len(metric.factor)))
    return np.asarray(inside @ metric.factor, dtype=np.float32)
