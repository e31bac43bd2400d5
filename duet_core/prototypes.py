"""Class prototypes in closed form: where the photos of a class lie, as a linear function of its class vector.

Beyond the paper. Training shapes the encoder's states; what reads v off them is then fitted once, by regression:

    m = M z               the mean state of a class, by ridge regression on the mean states of the seen classes
    Σ                     the spread of photos around the mean of their class, shrunk towards a multiple of the identity
    score(f, z) = (f - f̄)ᵀ Σ⁻¹ M z / |z|_G   with   G = Mᵀ Σ⁻¹ M   and   |z|_G = √(zᵀ G z)

that is, the length of f - f̄ times its cosine with the prototype, in the metric in which photos of a class spread alike.
With v = Mᵀ Σ⁻¹ (f - f̄), linear in the state, this is v·z again, for class vectors of unit length in the metric G.

Letter key: n photos, F features of a state, A attributes, C classes (Cs seen), r rank of G.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from duet_core.classes import IntArray

DoubleArray = NDArray[np.float64]

_RANK_TOLERANCE = 1e-9
"""Share of the largest eigenvalue of G below which a direction of attributes is taken for rounding."""


@dataclass(frozen=True, eq=False)
class Prototypes:
    """What reads attributes off states, and the metric of class vectors that belongs to it.

    Attributes:
        weight: (A, F) Mᵀ Σ⁻¹ / s.
        bias: (A,) -Mᵀ Σ⁻¹ f̄ / s.
        metric: (r, A) L with Lᵀ L = G / s²; L z is the class's prototype in coordinates of the metric. The scale s
            makes the seen classes' |z|_G about their length in Euclid's metric; scores do not depend on it.
    """

    weight: DoubleArray
    bias: DoubleArray
    metric: DoubleArray


def fit_prototypes(
    states: ArrayLike, labels: IntArray, class_vectors: ArrayLike, *, ridge: float, shrinkage: float
) -> Prototypes:
    """Regress class means on class vectors and estimate the spread within classes.

    Args:
        states: (n, F) of the training photos.
        labels: (n,) their classes, rows of `class_vectors`.
        class_vectors: (C, A) z of all classes; only those that `labels` names are looked at.
        ridge: added to the Gram matrix of the centred class vectors, whose mean diagonal is scaled to 1; above 0.
        shrinkage: multiple of the mean variance that is added to every direction's; above 0.

    Raises ValueError for parameters out of range, fewer than two classes, equal class vectors or equal photos.
    """
    for name, value in (("ridge", ridge), ("shrinkage", shrinkage)):
        if not value > 0:
            raise ValueError(f"prototypes.{name}: got {value}; allowed is above 0, such as 0.3")
    f = np.asarray(states, dtype=np.float64)
    seen, column = np.unique(labels, return_inverse=True)
    if len(seen) < 2:
        raise ValueError(f"{len(seen)} classes have photos; prototypes need at least two")
    centre = f.mean(axis=0)
    means = np.stack([f[column == row].mean(axis=0) for row in range(len(seen))])  # (Cs, F)
    z = np.asarray(class_vectors, dtype=np.float64)[seen]
    mean = z.mean(axis=0) / np.linalg.norm(z.mean(axis=0))
    away = z - (z @ mean)[:, None] * mean  # (Cs, A)
    unit = (away**2).sum(axis=1).mean()  # so that `ridge` means the same whatever the scale of z
    if not unit > _RANK_TOLERANCE * (z**2).sum(axis=1).mean():
        raise ValueError("all classes with photos have the same class vector; prototypes need classes that differ")
    gram = away @ away.T / unit  # (Cs, Cs)
    dual = np.linalg.solve(gram + ridge * np.eye(len(seen)), means - centre)  # (Cs, F)
    regression = dual.T @ away / unit  # (F, A): M
    spread = f - means[column]
    covariance = spread.T @ spread / len(f)
    if not np.trace(covariance) > _RANK_TOLERANCE * ((f - centre) ** 2).sum(axis=1).mean():
        raise ValueError("photos of one class all have the same state; prototypes need some spread within classes")
    covariance += shrinkage * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    weight = np.linalg.solve(covariance, regression).T  # (A, F): Mᵀ Σ⁻¹
    values, vectors = np.linalg.eigh(weight @ regression)  # G, symmetric
    kept = values > _RANK_TOLERANCE * values[-1]
    metric = np.sqrt(values[kept])[:, None] * vectors[:, kept].T  # (r, A)
    # v and z have a scale in common that no score shows: that with which class vectors stay about as long as they were
    scale = (np.linalg.norm(z @ metric.T, axis=1) / np.linalg.norm(z, axis=1)).mean()
    return Prototypes(weight=weight / scale, bias=-weight @ centre / scale, metric=metric / scale)
