"""The degrees of a class of which a little was said: what was said, and what that leads one to expect of the rest."""

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
"""Variance, per attribute, of what people say around the published degrees."""

BLEND = 0.6
"""Weight of the expectation against the words in prompt sets that were spoken of."""

MOST = 8.0
"""Largest amplification. Descriptions of a species need 2 to 6; "a small bird" would need far more, and with it the
little that is expected of everything else would become as loud as what was said."""

_HALVINGS = 40


class Expectation:
    """The seen classes as a normal distribution of degrees, conditioned on a description, then made as distinct.

    A black head makes a black nape likely, and a bird of which only the bill was told remains an average bird
    otherwise. With X (C, A) the seen classes less their mean m, and o the attributes in prompt sets spoken of,

        E[x | x_o] = m + Xᵀ (X_o X_oᵀ / C + NOISE·I)⁻¹ X_o (x_o - m_o) / C,

    ridge regression written over the C classes, so that no A x A matrix is made.

    An expectation lies closer to the mean than the classes it is an expectation of. Its score v·z then hardly depends
    on the photo, and a described class loses its own photos to the seen classes. So `complete` ends with `stand_out`.
    """

    def __init__(self, degrees: FloatArray, schema: AttributeSchema) -> None:
        """Take the degrees (C, A) of the seen classes, 0…1, each class with at least one above 0."""
        self._prompt_index = np.asarray(schema.prompt_index)
        table = np.asarray(degrees, dtype=np.float64)
        self._mean: NDArray[np.float64] = table.mean(axis=0)  # (A,)
        self._deviations = table - self._mean  # (C, A)
        self._typical_cosine = float(np.mean([self._cosine(row) for row in table]))

    @property
    def prior(self) -> FloatArray:
        """(A,) mean degrees of the seen classes."""
        return self._mean.astype(np.float32)

    @property
    def typical_cosine(self) -> float:
        """Mean over the seen classes of the cosine of a class's degrees to the prior m, in 0…1."""
        return self._typical_cosine

    def complete(self, found: Mapping[int, float]) -> FloatArray:
        """(A,) degrees in 0…1 from at least one schema row found in a description, with its degree in 0…1.

        A row found with degree 0 was denied and stays 0; any other ends no lower than the prior has it.
        """
        rows = np.array(sorted(found))
        spoken = np.isin(self._prompt_index, self._prompt_index[rows])  # (A,)
        degrees = np.where(spoken, KEEP * self._mean, self._mean)
        degrees[rows] = [SAID * found[row] for row in rows]
        expected = self._expected(spoken, degrees)
        blended = np.where(spoken, (1 - BLEND) * degrees + BLEND * expected, expected)
        said = [row for row in rows if found[row] > 0]
        blended[said] = np.maximum(blended[said], self._mean[said])  # amplified, less than the prior would be a denial
        denied = [row for row in rows if found[row] == 0]
        blended[denied] = 0.0
        return self.stand_out(blended).astype(np.float32)

    def deviating(self, deviation: NDArray[np.float64], found: Mapping[int, float]) -> FloatArray:
        """(A,) degrees in 0…1 from a learned deviation (A,) from the prior, and what was said in so many words.

        As in `complete`, a row found with degree 0 was denied and becomes 0; any other ends no lower than the prior.
        """
        degrees = self.stand_out(np.clip(self._mean + deviation, 0.0, 1.0))
        for row, degree in found.items():
            degrees[row] = max(degrees[row], self._mean[row]) if degree > 0 else 0.0
        return degrees.astype(np.float32)

    def stand_out(self, degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        """(A,) degrees whose deviation from the prior is amplified until they are as distinct as a seen class is.

        Moment matching: with the factor f >= 1 found by bisection, clip(m + f·(degrees - m), 0, 1) has the
        `typical_cosine` c to m. Where nothing is clipped its direction is c·m/|m| + sqrt(1 - c²)·d, where d is the unit
        direction in which the degrees deviate from m. c is read off the seen classes, so there is nothing to tune.

        Degrees (A,) 0…1 that are distinct enough already are returned as they are, degrees that hardly differ from the
        prior are amplified `MOST` times only.
        """
        lowest, highest = 1.0, MOST
        if self._cosine(self._amplified(degrees, highest)) > self.typical_cosine:
            return self._amplified(degrees, highest)
        for _ in range(_HALVINGS):
            factor = (lowest + highest) / 2
            if self._cosine(self._amplified(degrees, factor)) > self.typical_cosine:
                lowest = factor
            else:
                highest = factor
        return self._amplified(degrees, lowest)

    def _amplified(self, degrees: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
        amplified: NDArray[np.float64] = np.clip(self._mean + factor * (degrees - self._mean), 0.0, 1.0)
        return amplified

    def _cosine(self, degrees: NDArray[np.float64]) -> float:
        """Cosine of degrees (A,) to the prior; 0 for degrees all clipped to 0, which bisection thus never ends at."""
        norms = float(np.linalg.norm(degrees) * np.linalg.norm(self._mean))
        return float(degrees @ self._mean) / norms if norms else 0.0

    def _expected(self, spoken: NDArray[np.bool_], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
        known = self._deviations[:, spoken]  # (C, |o|)
        count = len(known)
        gram = known @ known.T / count + NOISE * np.eye(count)
        weights = np.linalg.solve(gram, known @ (degrees[spoken] - self._mean[spoken]) / count)  # (C,)
        expected: NDArray[np.float64] = self._mean + self._deviations.T @ weights
        return expected
