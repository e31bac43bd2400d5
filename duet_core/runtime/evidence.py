"""Absolute evidence that a photo shows one of the candidates at all: what "none of these" is decided by.

A probability cannot say so: with a single candidate it is 1. Letter key: A attributes, n candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from duet_core.classes import FloatArray
from duet_core.runtime.metric import EUCLIDEAN, Metric

EvidenceKind = Literal["max_cosine", "centred_cosine"]
KINDS: tuple[EvidenceKind, ...] = ("max_cosine", "centred_cosine")

DoubleArray = NDArray[np.float64]

_NOTHING = 1e-3
"""What is left of a vector of length 1 beside the mean, below which it is rounding and has no direction."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """How well a photo's attributes fit a class, in -1…1, whatever other candidates there are.

    "max_cosine" is the cosine of v and z. "centred_cosine" is the cosine of what is left of both when the direction of
    the mean seen class is taken out: every bird is much like the mean bird, so only the rest tells birds from one
    another, and from things that are no birds.

    Attributes:
        kind: which of the two.
        direction: (r,) unit direction of the mean seen class, in the metric's coordinates; not used by "max_cosine".
        mean: (A,) what a class vector is multiplied with for its product with `direction`.
        metric: of the class vectors; cosines are taken in it.
    """

    kind: EvidenceKind
    direction: DoubleArray
    mean: FloatArray
    metric: Metric = EUCLIDEAN

    @classmethod
    def of(cls, kind: EvidenceKind, seen_z: FloatArray, metric: Metric = EUCLIDEAN) -> Evidence:
        """Evidence of this kind for a model whose seen classes have the class vectors `seen_z` (C, A)."""
        mean = metric.class_coordinates(seen_z).mean(axis=0)
        direction = mean / np.linalg.norm(mean)
        along = (direction if metric.factor is None else direction @ metric.factor).astype(np.float32)
        along.setflags(write=False)
        return cls(kind, direction, along, metric)

    def values(self, v: FloatArray, scores: DoubleArray, along_mean: FloatArray | None = None) -> DoubleArray:
        """(n,) evidence for each candidate; 0 for a photo or class without a direction.

        Args:
            v: (A,) predicted attributes.
            scores: (n,) v·z of the candidates.
            along_mean: (n,) z·mean of the candidates; needed for "centred_cosine".
        """
        photo = self.metric.photo_coordinates(v)  # (r,)
        length = float(np.linalg.norm(photo))
        if self.kind == "max_cosine":
            return scores / length if length > 0 else np.zeros(len(scores))
        assert along_mean is not None
        shared = np.asarray(along_mean, dtype=np.float64)
        own = float(photo @ self.direction)
        photo_rest = float(np.linalg.norm(photo - own * self.direction))
        class_rest = np.sqrt(np.maximum(1.0 - shared**2, 0.0))
        is_mean = (class_rest < _NOTHING) | (photo_rest <= _NOTHING * length)
        length_rest = np.where(is_mean, 1.0, photo_rest * class_rest)
        return np.where(is_mean, 0.0, np.clip((scores - own * shared) / length_rest, -1.0, 1.0))
