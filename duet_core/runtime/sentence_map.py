"""The learned part of reading sentences: one linear map from what a sentence says to the degrees of a class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from duet_core.classes import FloatArray

DENIED = -0.5
"""What a denied attribute counts as beside degrees 0…1 and 0 for one not spoken of."""


class SentenceMapError(ValueError):
    """Arrays that are no sentence map, or the map of another schema or language model."""


@dataclass(frozen=True, kw_only=True)
class SentenceMap:
    """Degrees from three views of a sentence. Letter key: A attributes, V words, E width of embeddings, R rank.

    The views are what the lexicon read (A), which common words occur (V), and the language model's embedding (E),
    one after the other: F = A + V + E features. Fitted by `duet_core.sentence_fit` on seen classes only.

    Attributes:
        words: (V,) folded words, ascending.
        word_weights: (V,) the value of a word that occurs; rarer words have more.
        offset: (F,) mean features of the sentences it was fitted on.
        reduce: (F, R) and
        expand: (R, A): deviation of the degrees from the seen classes' mean = (features - offset) @ reduce @ expand.
    """

    words: tuple[str, ...]
    word_weights: FloatArray
    offset: FloatArray
    reduce: FloatArray
    expand: FloatArray

    def __post_init__(self) -> None:
        features, rank = self.reduce.shape if self.reduce.ndim == 2 else (0, 0)
        attributes = self.expand.shape[-1]
        sound = (
            self.expand.shape == (rank, attributes)
            and self.offset.shape == (features,)
            and self.word_weights.shape == (len(self.words),)
            and features > attributes + len(self.words)
            and all(np.isfinite(part).all() for part in (self.word_weights, self.offset, self.reduce, self.expand))
        )
        if not sound:
            raise SentenceMapError(
                f"{len(self.words)} words, word_weights {self.word_weights.shape}, offset {self.offset.shape}, "
                f"reduce {self.reduce.shape}, expand {self.expand.shape}; expected finite V, (V,), (F,), (F, R), (R, A)"
            )

    @property
    def attributes(self) -> int:
        """A, the attributes of the schema it was fitted for."""
        return int(self.expand.shape[1])

    @property
    def embedding_width(self) -> int:
        """E, the width of the sentence embeddings it was fitted with."""
        return len(self.offset) - self.attributes - len(self.words)

    @cached_property
    def _column(self) -> dict[str, int]:
        return {word: column for column, word in enumerate(self.words)}

    def features(self, lexical: FloatArray, words: Iterable[str], embedding: FloatArray) -> FloatArray:
        """(F,) what was read (A,), the sentence's folded words, and its embedding (E,), side by side."""
        occurring = np.zeros(len(self.words), dtype=np.float32)
        for column in {self._column[word] for word in words if word in self._column}:
            occurring[column] = self.word_weights[column]
        return np.concatenate([lexical, occurring, embedding]).astype(np.float32)

    def deviation(self, features: FloatArray) -> NDArray[np.float64]:
        """(A,) by how much the degrees differ from the seen classes' mean, given `features` (F,)."""
        inner = (np.asarray(features, dtype=np.float64) - self.offset) @ self.reduce
        deviation: NDArray[np.float64] = inner @ self.expand
        return deviation

    def save(self, path: Path) -> None:
        """Write it as half-precision numbers: differences of 0.001 degree mean nothing."""
        np.savez_compressed(
            path,
            words=np.array(self.words),
            word_weights=self.word_weights.astype(np.float16),
            offset=self.offset.astype(np.float16),
            reduce=self.reduce.astype(np.float16),
            expand=self.expand.astype(np.float16),
        )


def load_sentence_map(path: Path) -> SentenceMap:
    """Read what `SentenceMap.save` wrote. Raises SentenceMapError for parts that do not fit, KeyError for none."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        numbers = {
            name: np.asarray(arrays[name], dtype=np.float32) for name in ("word_weights", "offset", "reduce", "expand")
        }
        return SentenceMap(words=tuple(str(word) for word in arrays["words"]), **numbers)


def lexical_evidence(degrees: Mapping[int, float], attributes: int) -> FloatArray:
    """(A,) schema row -> degree as features: 0 where nothing was said, `DENIED` where the degree is 0."""
    evidence = np.zeros(attributes, dtype=np.float32)
    for row, degree in degrees.items():
        evidence[row] = degree if degree > 0 else DENIED
    return evidence
