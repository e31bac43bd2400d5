"""Fits the sentence map of a bundle: from descriptions of seen classes to their official degrees. numpy, no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray
from duet_core.runtime.lexicon import words_of
from duet_core.runtime.sentence_map import SentenceMap, lexical_evidence
from duet_core.runtime.text import TextInterpreter

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FitChoices:
    """Numbers chosen on seen classes (`duet sentences --validate` leaves classes out and prints what they give).

    Attributes:
        measured: share of the measurement model in the map; the rest is regression.
        ridge: noise of the regression, where each view of a sentence varies by its weight.
        weights: weights of the views: what was read, words, embedding.
        noise: added to the variance of every reading, as a share of the mean variance.
        pooled: how much a prompt set's reliability is drawn to that of all, in variance of degrees.
        common: least and largest share of the descriptions a word occurs in to be used.
    """

    measured: float = 0.35
    ridge: float = 1.0
    weights: tuple[float, float, float] = (0.3, 0.3, 0.4)
    noise: float = 0.3
    pooled: float = 2.0
    common: tuple[float, float] = (0.03, 0.64)


@dataclass(frozen=True)
class ReadTexts:
    """N descriptions as features: what the lexicon read (N, A), their words, their embeddings (N, E)."""

    lexical: FloatArray
    words: tuple[frozenset[str], ...]
    embeddings: FloatArray

    def rows(self, rows: Sequence[int]) -> ReadTexts:
        """Some of them, in this order."""
        chosen = np.asarray(rows, dtype=np.int64)
        return ReadTexts(self.lexical[chosen], tuple(self.words[row] for row in rows), self.embeddings[chosen])


def read_texts(interpreter: TextInterpreter, texts: Sequence[str]) -> ReadTexts:
    """Descriptions as the interpreter reads them."""
    attributes = len(interpreter.schema)
    lexical = [
        lexical_evidence({row: found.degree for row, found in interpreter.read(text).found.items()}, attributes)
        for text in texts
    ]
    embeddings = np.concatenate([interpreter.embed([text]) for text in texts])
    return ReadTexts(np.stack(lexical), tuple(frozenset(words_of(text)) for text in texts), embeddings)


def fit_sentence_map(
    read: ReadTexts, degrees: FloatArray, schema: AttributeSchema, choices: FitChoices | None = None
) -> SentenceMap:
    """The map that two estimates of the degrees make together, both linear in what a sentence says.

    The measurement model takes each attribute read for a noisy reading of that attribute, with a reliability learned
    per prompt set (what is said of bills is hardly ever so) and noise learned per reading, and gives the mean of the
    degrees under the seen classes' covariance. Ridge regression from all three views learns what readings, words and
    embeddings go with which degrees, whatever they name ("songbird", "webbed feet").

    Args:
        read: N descriptions of seen classes.
        degrees: (N, A) official degrees of their classes, 0…1.
        schema: the A attributes.
        choices: default `FitChoices()`.

    Raises ValueError for fewer than three descriptions.
    """
    choices = choices or FitChoices()
    if len(degrees) < 3:
        raise ValueError(f"{len(degrees)} descriptions; at least 3 seen classes with a description are needed")
    words, word_weights = _common_words(read.words, choices.common)
    occurring = np.array([[word in text for word in words] for text in read.words], dtype=np.float64) * word_weights
    lexical = read.lexical.astype(np.float64)
    views = (lexical, occurring, read.embeddings.astype(np.float64))
    scaled = [_scaled(view, weight) for view, weight in zip(views, choices.weights, strict=True)]
    factors = np.concatenate([np.full(view.shape[1], factor) for view, factor in scaled])  # (F,)
    features = np.concatenate([view for view, _ in scaled], axis=1)  # (N, F), centred and weighted
    deviations = degrees.astype(np.float64) - degrees.mean(axis=0, dtype=np.float64)
    gram = features @ features.T + choices.ridge * np.eye(len(features))
    whole = (1 - choices.measured) * factors[:, None] * (features.T @ np.linalg.solve(gram, deviations))  # (F, A)
    whole[: len(schema)] += choices.measured * _measured(lexical - lexical.mean(axis=0), deviations, schema, choices)
    reduce, expand = _factored(whole, rank=min(len(degrees) - 1, len(schema)))
    return SentenceMap(
        words=words,
        word_weights=np.asarray(word_weights, dtype=np.float32),
        offset=np.concatenate([view.mean(axis=0) for view in views]).astype(np.float32),
        reduce=reduce.astype(np.float32),
        expand=expand.astype(np.float32),
    )


def _common_words(texts: Sequence[frozenset[str]], common: tuple[float, float]) -> tuple[tuple[str, ...], Doubles]:
    """Words in neither too few nor too many texts, and their weights sqrt(log(N / count))."""
    counts = Counter(word for text in texts for word in text if word.isalpha())
    least, most = (share * len(texts) for share in common)
    words = tuple(sorted(word for word, count in counts.items() if max(2, least) <= count <= most))
    return words, np.sqrt(np.log(len(texts) / np.array([counts[word] for word in words], dtype=np.float64)))


def _scaled(view: Doubles, weight: float) -> tuple[Doubles, float]:
    """A view centred and scaled to the mean squared length `weight`, and the factor of the scaling."""
    centred = view - view.mean(axis=0)
    power = float((centred**2).sum(axis=1).mean())
    factor = float(np.sqrt(weight / power)) if power > 0 else 0.0
    return centred * factor, factor


def _measured(lexical: Doubles, deviations: Doubles, schema: AttributeSchema, choices: FitChoices) -> Doubles:
    """(A, A) from readings to deviations: C·Bᵀ (B·C·Bᵀ + N)⁻¹ transposed, with N half full, half diagonal."""
    count = len(deviations)
    covariance = deviations.T @ deviations / count
    gains = _gains(lexical, deviations, schema, choices.pooled)  # diagonal of B
    residual = lexical - deviations * gains
    noise = residual.T @ residual / count
    level = float(np.diag(noise).mean()) + 1e-9
    noise = (noise + np.diag(np.diag(noise))) / 2 + choices.noise * level * np.eye(len(schema))
    crossed = covariance * gains  # C·Bᵀ
    return np.asarray(np.linalg.solve(gains[:, None] * crossed + noise, crossed.T))


def _gains(lexical: Doubles, deviations: Doubles, schema: AttributeSchema, pooled: float) -> Doubles:
    """(A,) how far a reading follows the degree: one slope per prompt set, none below 0."""
    together, own = (lexical * deviations).sum(axis=0), (deviations**2).sum(axis=0)
    overall = together.sum() / max(own.sum(), 1e-9)
    gains = np.zeros(len(schema))
    for members in schema.prompt_sets:
        rows = list(members)
        gains[rows] = (together[rows].sum() + pooled * overall) / (own[rows].sum() + pooled)
    return np.maximum(gains, 0.0)


def _factored(whole: Doubles, *, rank: int) -> tuple[Doubles, Doubles]:
    """(F, A) as (F, R) @ (R, A), exact because degrees of N classes deviate in N - 1 directions at most."""
    left, strengths, right = np.linalg.svd(whole, full_matrices=False)
    root = np.sqrt(strengths[:rank])
    return left[:, :rank] * root, root[:, None] * right[:rank]


def descriptions_of(names: Sequence[str], described: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """For each class name its phrases; "012.Yellow_headed_Blackbird" and "Yellow-headed Blackbird" are the same.

    Raises ValueError naming classes without a description.
    """
    by_letters = {letters(name): list(phrases) for name, phrases in described.items()}
    missing = [name for name in names if not by_letters.get(letters(name))]
    if missing:
        raise ValueError(f"no description of {len(missing)} classes, such as {missing[0]!r}; give one of each")
    return [by_letters[letters(name)] for name in names]


def letters(name: str) -> str:
    """A name as lower-case letters and single spaces."""
    return " ".join("".join(mark if mark.isalpha() else " " for mark in name.lower()).split())
