"""Scores that might tell photos of the candidates from all others. Letter key: N photos, A attributes, C candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from duet_core.calibration import centred_cosine, max_cosine, probabilities
from duet_core.judging.photos import Photos

DoubleArray = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """What a score may know beside the photo and the candidates.

    Attributes:
        seen_z: (Cs, A) class vectors of the classes trained with.
        temperature: of the bundle.
        train: photos the model was trained with, or None: then the scores that need their statistics are left out.
    """

    seen_z: DoubleArray
    temperature: float
    train: Photos | None


Score = Callable[[Photos, DoubleArray], DoubleArray]
"""Photos and z (C, A) of the candidates to (N,) evidence."""


def evidence_scores(known: Known) -> dict[str, Score]:
    """All scores compared, by name."""

    def plain(photos: Photos, z: DoubleArray) -> DoubleArray:
        return np.asarray(photos.v.astype(np.float64) @ z.T)

    def energy(photos: Photos, z: DoubleArray) -> DoubleArray:
        scaled = plain(photos, z) / known.temperature
        top = scaled.max(axis=1)
        return np.asarray(known.temperature * (top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))))

    scores: dict[str, Score] = {
        "highest probability": lambda photos, z: probabilities(plain(photos, z), known.temperature).max(axis=1),
        "norm of v": lambda photos, z: np.linalg.norm(photos.v, axis=1).astype(np.float64),  # noqa: ARG005
        "energy": energy,
        "highest score": lambda photos, z: np.asarray(plain(photos, z).max(axis=1)),
        "distance to the nearest class": lambda photos, z: -_nearest(photos, z, known),
        "max_cosine": lambda photos, z: max_cosine(photos.v, z),
        "centred_cosine": lambda photos, z: centred_cosine(photos.v, z, known.seen_z),
    }
    if known.train is None:
        return scores
    of_v = _mahalanobis(known.train.v)
    of_state = _mahalanobis(known.train.state)
    scores["Mahalanobis of the state"] = lambda photos, z: -of_state(photos.state)  # noqa: ARG005
    scores["Mahalanobis of v"] = lambda photos, z: -of_v(photos.v)  # noqa: ARG005
    for name, weight in (("centred_cosine + ½ Mahalanobis of v", 0.5), ("centred_cosine + Mahalanobis of v", 1.0)):
        scores[name] = _sum(scores["centred_cosine"], scores["Mahalanobis of v"], weight, known.train, known.seen_z)
    return scores


def _nearest(photos: Photos, z: DoubleArray, known: Known) -> DoubleArray:
    """Distance of v, brought to the mean length of such vectors, to the nearest class vector of that length."""
    length = float(np.median(np.linalg.norm((known.train or photos).v, axis=1)))
    v = photos.v.astype(np.float64)
    squared = (v**2).sum(axis=1, keepdims=True) + length**2 - 2 * length * v @ z.T
    return np.asarray(np.sqrt(np.maximum(squared.min(axis=1), 0.0)))


def _mahalanobis(rows: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], DoubleArray]:
    """(N,) distance to the mean of the training photos in units of their spread, a hundredth of it added."""
    mean, spread = rows.mean(axis=0, dtype=np.float64), np.cov(rows.T.astype(np.float64))
    inverse = np.linalg.inv(spread + 0.01 * np.trace(spread) / len(spread) * np.eye(len(spread)))

    def distance(values: NDArray[np.float32]) -> DoubleArray:
        away = values.astype(np.float64) - mean
        return np.asarray(np.sqrt(np.einsum("na,ab,nb->n", away, inverse, away, optimize=True)))

    return distance


def _sum(first: Score, second: Score, weight: float, train: Photos, seen_z: DoubleArray) -> Score:
    """A weighted sum, each brought to mean 0 and deviation 1 on training photos."""
    scales = [(values.mean(), values.std()) for values in (score(train, seen_z) for score in (first, second))]

    def total(photos: Photos, z: DoubleArray) -> DoubleArray:
        parts = [(s(photos, z) - m) / d for s, (m, d) in zip((first, second), scales, strict=True)]
        return np.asarray(parts[0] + weight * parts[1])

    return total
