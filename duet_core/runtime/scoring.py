"""Scores, calibrated stacking (Eq. 22), probabilities and the decision, over an immutable set of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from duet_core.classes import FloatArray, IntArray
from duet_core.runtime.class_set import BlockView, Candidates, ClassBlock, ClassSet, RankingError
from duet_core.runtime.evidence import Evidence

__all__ = [
    "BlockView",
    "Candidates",
    "ClassBlock",
    "ClassSet",
    "Decision",
    "Prediction",
    "Ranking",
    "RankingError",
    "Scores",
    "contributions",
    "rank",
    "score_candidates",
]


@dataclass(frozen=True)
class Prediction:
    """One class as an answer. `score` is v·z; `calibrated_score` also has gamma taken off a seen class."""

    class_id: str
    label: str
    seen: bool
    score: float
    calibrated_score: float
    probability: float


@dataclass(frozen=True)
class Decision:
    """Whether any candidate is close enough: `score` is the best evidence of any, `reason` is for people."""

    accepted: bool
    reason: str
    score: float
    threshold: float


@dataclass(frozen=True)
class Ranking:
    """The best candidates, best first, and the decision."""

    predictions: tuple[Prediction, ...]
    decision: Decision


@dataclass(frozen=True)
class Scores:
    """All candidates of one photo, in the order of the class set.

    Attributes:
        rows: (n,) rows of the candidates in the class set.
        plain: (n,) v·z.
        calibrated: (n,) the same with gamma taken off seen classes when all compete (Eq. 22).
    """

    rows: IntArray
    plain: NDArray[np.float64]
    calibrated: NDArray[np.float64]


def score_candidates(v: FloatArray, class_set: ClassSet, *, gamma: float, candidates: Candidates = "all") -> Scores:
    """v·z and v·z - gamma·[seen] of every candidate. Raises RankingError as `rank` does."""
    _check(v, class_set)
    rows = class_set.rows(candidates)
    plain = class_set.scores(np.asarray(v, dtype=np.float32))[rows].astype(np.float64)  # (n,)
    return Scores(rows, plain, plain - gamma * class_set.seen[rows] if candidates == "all" else plain)


def contributions(v: FloatArray, z: FloatArray) -> NDArray[np.float64]:
    """(A,) what each attribute adds to the score of a class: v_i·z_i. Their sum is the `score` of `rank`."""
    return np.asarray(v, dtype=np.float64) * np.asarray(z, dtype=np.float64)


def rank(
    v: FloatArray,
    class_set: ClassSet,
    *,
    gamma: float,
    temperature: float,
    threshold: float,
    evidence: Evidence | None = None,
    top_k: int = 5,
    candidates: Candidates = "all",
) -> Ranking:
    """Order the candidates for one photo by v·z - gamma·[seen] (Eq. 22).

    Args:
        v: (A,) predicted attributes.
        class_set: the snapshot to score; nothing else is read.
        gamma: used for candidates "all" only, where seen and unseen classes compete.
        temperature: above 0; the probability is a softmax over ALL candidates, not only those returned.
        threshold: evidence in -1…1 below which the answer is "none of these".
        evidence: what the threshold is compared with; the cosine of v and z when not given.
        top_k: at least 1; more than there are candidates returns them all.

    Raises:
        RankingError: no such candidates, `top_k` below 1, or v of the wrong length or not finite.
    """
    if top_k < 1:
        raise RankingError(f"top_k {top_k}; at least 1, such as 5")
    if not temperature > 0:
        raise RankingError(f"temperature {temperature}; it must be above 0")
    scores = score_candidates(v, class_set, gamma=gamma, candidates=candidates)
    rows, plain, calibrated = scores.rows, scores.plain, scores.calibrated
    scaled = calibrated / temperature
    log_total = float(scaled.max() + np.log(np.exp(scaled - scaled.max()).sum()))
    found = []
    for i in _best(calibrated, top_k):
        row = int(rows[i])
        # in double, so that contributions sum to it exactly
        score = float(contributions(v, class_set.vector(row)).sum())
        found.append(
            Prediction(
                class_id=class_set.class_id(row),
                label=class_set.label(row),
                seen=bool(class_set.seen[row]),
                score=score,
                calibrated_score=score - float(plain[i] - calibrated[i]),
                probability=float(np.exp(scaled[i] - log_total)),
            )
        )
    found.sort(key=lambda prediction: -prediction.calibrated_score)
    measured = evidence or Evidence.of("max_cosine", class_set.vector(0)[None], class_set.metric)
    along = class_set.along(measured.mean)[rows] if measured.kind == "centred_cosine" else None
    values = measured.values(v, plain, along)
    closest = int(np.argmax(values))
    label = class_set.label(int(rows[closest]))
    return Ranking(tuple(found), _decide(label, float(values[closest]), threshold, first=found[0].label))


def _check(v: FloatArray, class_set: ClassSet) -> None:
    if v.shape != (class_set.width,) or not np.isfinite(v).all():
        raise RankingError(f"v of shape {v.shape}; {class_set.width} finite numbers are needed")


def _best(values: NDArray[np.float64], count: int) -> Sequence[int]:
    """Positions of the `count` largest values, best first, ties in order of position; linear in their number."""
    if count < len(values):
        least = np.partition(values, len(values) - count)[len(values) - count]
        kept = np.flatnonzero(values >= least)
    else:
        kept = np.arange(len(values))
    order = kept[np.argsort(-values[kept], kind="stable")]
    return [int(position) for position in order[:count]]


def _decide(label: str, cosine: float, threshold: float, *, first: str) -> Decision:
    """Whether any class is shown at all; the closest need not be `first`, the best when γ has been taken off."""
    accepted = cosine >= threshold
    if accepted:
        reason = f"The photo's attributes fit {label} (cosine {cosine:.2f}, at least {threshold:.2f} is asked)."
        if first != label:
            reason += f" That is not the first prediction, {first}, which leads in the calibrated score only."
    else:
        reason = (
            f"None of these: even the closest class, {label}, fits the photo's attributes too little "
            f"(cosine {cosine:.2f}, at least {threshold:.2f} is asked)."
        )
    return Decision(accepted=accepted, reason=reason, score=cosine, threshold=threshold)
