"""Degrees of a class of which only a little was said: what was said, and what that leads one to expect of the rest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray

SAID = 0.6
"""Degree of an attribute said plainly: published degrees are shares of votes and hardly ever reach 1."""

KEEP = 0.6
"""Share of the prior left to attributes not said in a prompt set of which others were."""

NOISE = 0.4
"""Variance, per attribute, of what people say around the published degrees (which vary by about 0.05 over classes)."""

BLEND = 0.4
"""Weight of the expectation against the words in prompt sets that were spoken of."""


class Expectation:
    """The seen classes as a normal distribution of degrees, conditioned on a description.

    A black head makes a black nape likely, and a bird of which only the bill was told remains an average bird
    otherwise. With X (C, A) the seen classes less their mean m, and o the attributes in prompt sets spoken of,

        E[x | x_o] = m + Xᵀ (X_o X_oᵀ / C + NOISE·I)⁻¹ X_o (x_o - m_o) / C,

    ridge regression written over the C classes, so that no A x A matrix is made.
    """

    def __init__(self, degrees: FloatArray, schema: AttributeSchema) -> None:
        """Take the degrees (C, A) of the seen classes, 0…1."""
        self._prompt_index = np.asarray(schema.prompt_index)
        table = np.asarray(degrees, dtype=np.float64)
        self._mean: NDArray[np.float64] = table.mean(axis=0)  # (A,)
        self._deviations = table - self._mean  # (C, A)

    def complete(self, found: Mapping[int, float]) -> FloatArray:
        """(A,) degrees in 0…1 from at least one schema row found in a description, with its degree in 0…1."""
        rows = np.array(sorted(found))
        spoken = np.isin(self._prompt_index, self._prompt_index[rows])  # (A,)
        degrees = np.where(spoken, KEEP * self._mean, self._mean)
        degrees[rows] = [SAID * found[row] for row in rows]
        expected = self._expected(spoken, degrees)
        blended = np.where(spoken, (1 - BLEND) * degrees + BLEND * expected, expected)
        denied = [row for row in rows if found[row] == 0]
        blended[denied] = 0.0
        return np.clip(blended, 0.0, 1.0).astype(np.float32)

    def _expected(self, spoken: NDArray[np.bool_], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        known = self._deviations[:, spoken]  # (C, |o|)
        count = len(known)
        gram = known @ known.T / count + NOISE * np.eye(count)
        weights = np.linalg.solve(gram, known @ (degrees[spoken] - self._mean[spoken]) / count)  # (C,)
        expected: NDArray[np.float64] = self._mean + self._deviations.T @ weights
        return expected
