"""How well sentences give class vectors, judged on seen classes left out of the fit, without a photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray, unit_rows
from duet_core.runtime.expectation import Expectation
from duet_core.sentence_fit import FitChoices, ReadTexts, fit_sentence_map

PARTS = 3


@dataclass(frozen=True)
class Way:
    """One way from a sentence to a class vector.

    Attributes:
        name: for people.
        cosine: mean cosine of sentence-made and official class vectors, both less the mean official one.
        first: share of the classes left out whose official vector is closest to their own sentence's.
    """

    name: str
    cosine: float
    first: float


@dataclass(frozen=True)
class LeftOut:
    """The learned map and what words alone lead one to expect, over `draws` partitions of the seen classes."""

    draws: int
    ways: tuple[Way, ...]

    def lines(self) -> list[str]:
        """One line a way."""
        return [
            f"  {way.name}: cosine to the official vectors {way.cosine:.3f} (both less the mean), "
            f"own sentence closest {100 * way.first:.1f} %"
            for way in self.ways
        ]

    def to_json(self) -> dict[str, object]:
        """For the manifest."""
        return {"left_out": {way.name: {"cosine": way.cosine, "first": way.first} for way in self.ways}}


def left_out(
    read: ReadTexts, degrees: FloatArray, schema: AttributeSchema, *, choices: FitChoices | None = None, draws: int = 2
) -> LeftOut:
    """Fit on two thirds of the C seen classes, judge on the last, for each third of `draws` random partitions.

    Args:
        read: the C descriptions.
        degrees: (C, A) official degrees.
        choices: of the fit.
        draws: partitions, with seeds 0, 1, ….

    Raises ValueError for fewer than six classes.
    """
    if len(degrees) < 2 * PARTS:
        raise ValueError(f"{len(degrees)} classes; at least {2 * PARTS} are needed to leave a third out")
    found: dict[str, list[tuple[float, float]]] = {"learned": [], "words alone": []}
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(len(degrees))
        for part in range(PARTS):
            out = np.sort(order[part::PARTS])
            kept = np.setdiff1d(np.arange(len(degrees)), out)
            expectation = Expectation(degrees[kept], schema)
            learned = fit_sentence_map(read.rows(kept.tolist()), degrees[kept], schema, choices)
            mean = unit_rows(degrees[kept]).mean(axis=0)
            rows: dict[str, list[FloatArray]] = {name: [] for name in found}
            for row in out:
                said = {int(i): max(float(read.lexical[row, i]), 0.0) for i in np.flatnonzero(read.lexical[row])}
                features = learned.features(read.lexical[row], read.words[row], read.embeddings[row])
                rows["learned"].append(expectation.deviating(learned.deviation(features), said))
                rows["words alone"].append(expectation.complete(said) if said else expectation.prior)
            for name, made in rows.items():
                found[name].append(_judged(unit_rows(np.stack(made)) - mean, unit_rows(degrees[out]) - mean))
    ways = [Way(name, *(float(value) for value in np.mean(pairs, axis=0))) for name, pairs in found.items()]
    return LeftOut(draws, tuple(ways))


def _judged(made: FloatArray, official: FloatArray) -> tuple[float, float]:
    """Mean cosine of pairs, and the share of official vectors whose own made one is the closest."""
    cosines: NDArray[np.float32] = official @ made.T / _norms(official)[:, None] / _norms(made)[None]
    return float(np.diag(cosines).mean()), float(np.mean(cosines.argmax(axis=1) == np.arange(len(cosines))))


def _norms(rows: FloatArray) -> FloatArray:
    norms: FloatArray = np.maximum(np.linalg.norm(rows, axis=1), 1e-9)
    return norms
