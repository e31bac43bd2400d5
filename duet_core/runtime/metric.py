"""In what metric class vectors have unit length: Euclid's, or that of the model's prototypes.

A model with prototypes (`duet_core.prototypes`) scores a class of degrees d by v·d/|d|_G with |d|_G = √(dᵀ G d). So its
class vector is z = d/|d|_G, the score stays v·z, and the contributions v_i·z_i of the attributes still sum to it.

Letter key: n classes or photos, A attributes, r rank of G.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from duet_core.classes import FloatArray, unit_rows

DoubleArray = NDArray[np.float64]

LEAST_STRETCH = 1e-3
"""Least share of its greatest possible length that a class vector is taken to have."""


@dataclass(frozen=True, eq=False)
class Metric:
    """The metric G of class vectors.

    Attributes:
        factor: (r, A) L with Lᵀ L = G, so that |d|_G = |L d|; None for Euclid's metric.
    """

    factor: FloatArray | None = None

    def lengths(self, degrees: ArrayLike) -> FloatArray:
        """(n,) length of each row of (n, A).

        Degrees that the prototypes hardly depend on, such as those of the mean class, would have next to no length, and
        any photo's score by them would be rounding made large. So none is shorter than `LEAST_STRETCH` of what the same
        degrees could be at most.
        """
        rows = np.asarray(degrees, dtype=np.float32)
        euclidean: FloatArray = np.linalg.norm(rows, axis=-1)
        if self.factor is None:
            return euclidean
        lengths: FloatArray = np.linalg.norm(rows @ self.factor.T, axis=-1)
        return np.asarray(np.maximum(lengths, LEAST_STRETCH * self._most_stretch * euclidean), dtype=np.float32)

    def unit(self, degrees: FloatArray) -> FloatArray:
        """Class vectors z (n, A) of degrees (n, A), each of unit length.

        Raises ClassTableError for a row without any degree, or one that is not finite.
        """
        euclidean = unit_rows(degrees)
        if self.factor is None:
            return euclidean
        return np.asarray(euclidean / self.lengths(euclidean)[:, None], dtype=np.float32)

    def class_coordinates(self, z: ArrayLike) -> DoubleArray:
        """(n, r) coordinates in which class vectors (n, A) of this metric have Euclid's unit length, or the little that
        is left of one whose degrees the prototypes hardly depend on."""
        rows = np.asarray(z, dtype=np.float64)
        return rows if self.factor is None else rows @ self.factor.T.astype(np.float64)

    def perfect(self, z: FloatArray) -> FloatArray:
        """(n, A) v of photos, of length 1 in the metric's coordinates, that show nothing but these classes z (n, A)."""
        return z if self.factor is None else np.asarray((z @ self.factor.T) @ self.factor, dtype=np.float32)

    def photo_coordinates(self, v: ArrayLike) -> DoubleArray:
        """(n, r) coordinates of predicted attributes (n, A) whose products with those of classes are v·z."""
        rows = np.asarray(v, dtype=np.float64)
        return rows if self._dual is None else rows @ self._dual.T

    @cached_property
    def checksum(self) -> str:
        """Equal for equal metrics only; "" for Euclid's."""
        return (
            ""
            if self.factor is None
            else hashlib.sha256(f"{self.factor.shape}".encode() + self.factor.tobytes()).hexdigest()[:16]
        )

    @cached_property
    def _most_stretch(self) -> float:
        """The largest |d|_G of degrees of Euclid's length 1."""
        return 1.0 if self.factor is None else float(np.linalg.norm(self.factor.astype(np.float64), ord=2))

    @cached_property
    def _dual(self) -> DoubleArray | None:
        """(r, A) K with Kᵀ L v = v for every v that the model can predict."""
        return None if self.factor is None else np.linalg.pinv(self.factor.astype(np.float64)).T


EUCLIDEAN = Metric()
