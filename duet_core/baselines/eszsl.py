"""ESZSL, "An embarrassingly simple approach to zero-shot learning" (Romera-Paredes & Torr, 2015), in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from duet_core.classes import IntArray
from duet_core.evaluation import best_gamma, seen_unseen_curve

DoubleArray = NDArray[np.float64]

_EXPONENTS = tuple(range(-3, 4))


@dataclass(frozen=True)
class Eszsl:
    """A bilinear map from image features to attribute vectors, v = x V, that is fitted by solving two linear systems.

    Attributes:
        gamma_ridge: ridge term on the feature side, above 0.
        lambda_ridge: ridge term on the attribute side, above 0.
    """

    gamma_ridge: float
    lambda_ridge: float

    def __post_init__(self) -> None:
        if not (self.gamma_ridge > 0 and self.lambda_ridge > 0):
            raise ValueError(f"ridge terms: got {self.gamma_ridge}, {self.lambda_ridge}; both are above 0, such as 10")

    def fit(self, features: ArrayLike, labels: IntArray, class_vectors: ArrayLike) -> DoubleArray:
        """V (F, A) = (XᵀX + γI)⁻¹ XᵀYS (SᵀS + λI)⁻¹, with Y = +1 for a photo's class and -1 for the others.

        Only the vectors of classes that occur in `labels` are used.

        Args:
            features: (n, F) image features X.
            labels: (n,) global class rows.
            class_vectors: (C, A) z of all classes.
        """
        return _solve(*_sums(features, labels, class_vectors), self)


@dataclass(frozen=True, kw_only=True)
class EszslChoice:
    """What was chosen on a validation split: the ridge terms, γ in the score space of that model, and its H there."""

    model: Eszsl
    gamma: float
    H: float


def select_eszsl(
    *,
    features: ArrayLike,
    labels: IntArray,
    train: IntArray,
    seen_eval: IntArray,
    unseen_eval: IntArray,
    class_vectors: ArrayLike,
    seen_classes: IntArray,
    unseen_classes: IntArray,
    exponents: Sequence[int] = _EXPONENTS,
) -> EszslChoice:
    """The ridge terms 10^e and γ with the highest H on a validation split; the first of equally good ones.

    Args:
        features: (N, F) of all photos; labels: (N,) their global class rows.
        train, seen_eval, unseen_eval: photo rows of the split.
        class_vectors: (C, A) z of all classes; seen_classes, unseen_classes: global class rows of the split.
        exponents: tried for both ridge terms, as in the ESZSL paper -3…3.
    """
    x = np.asarray(features, dtype=np.float64)
    if not exponents:
        raise ValueError("exponents is empty; give at least one, for example -3, -2, …, 3")
    sums = _sums(x[train], labels[train], class_vectors)
    choices = []
    for model in (Eszsl(10.0**first, 10.0**second) for first in exponents for second in exponents):
        weights = _solve(*sums, model)
        curve = seen_unseen_curve(
            v_seen=x[seen_eval] @ weights,
            label_seen=labels[seen_eval],
            v_unseen=x[unseen_eval] @ weights,
            label_unseen=labels[unseen_eval],
            class_vectors=class_vectors,
            seen_classes=seen_classes,
            unseen_classes=unseen_classes,
        )
        choices.append(EszslChoice(model=model, gamma=best_gamma(curve), H=float(curve.H.max())))
    return max(choices, key=lambda choice: choice.H)


def _sums(
    features: ArrayLike, labels: IntArray, class_vectors: ArrayLike
) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """XᵀX (F, F), XᵀYS (F, A) and SᵀS (A, A), which no ridge term changes."""
    x = np.asarray(features, dtype=np.float64)
    classes, position = np.unique(labels, return_inverse=True)
    s = np.asarray(class_vectors, dtype=np.float64)[classes]  # (Cs, A)
    # row i of YS is z of the photo's class minus those of all others: 2 z[y] - Σz, without the (n, Cs) matrix Y
    targets = 2 * s[position] - s.sum(axis=0)  # (n, A)
    return x.T @ x, x.T @ targets, s.T @ s


def _solve(gram: DoubleArray, cross: DoubleArray, inner: DoubleArray, model: Eszsl) -> DoubleArray:
    left = np.linalg.solve(gram + model.gamma_ridge * np.eye(len(gram)), cross)  # (F, A)
    right = np.linalg.solve(inner + model.lambda_ridge * np.eye(len(inner)), left.T)  # (A, F); the matrix is symmetric
    return np.asarray(right.T)
