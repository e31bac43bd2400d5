"""How a model is judged: T1, U, S, H, the exact seen-unseen curve with AUSUC, and the choice of γ.

All accuracies are per class and then averaged over classes (macro), as fractions in 0…1. Scores are v·z, in float64.
Letter key: n photos, A attributes, C classes (Cs seen, Cu unseen), K breakpoints of γ.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, NotRequired, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from duet_core.classes import IntArray

DoubleArray = NDArray[np.float64]
ScoreSpace = Literal["logits", "probs"]


class EvaluationError(ValueError):
    """Photos, labels or classes with which no per-class accuracy can be computed."""


class Judged(TypedDict):
    """The keyword arguments of every judgement: what was predicted for which photos, and the candidates.

    Attributes:
        v_seen, v_unseen: (n, A) attribute vectors of photos of seen and of unseen classes.
        label_seen, label_unseen: (n,) their global class rows.
        class_vectors: (C, A) z of all classes.
        seen_classes, unseen_classes: (Cs,), (Cu,) global class rows; the candidates.
        score_space: what γ is subtracted from where all classes compete: "logits", v·z, or "probs", the softmax of v·z
            over the candidates, as the authors' code does; "logits" when not given.
    """

    v_seen: ArrayLike
    label_seen: IntArray
    v_unseen: ArrayLike
    label_unseen: IntArray
    class_vectors: ArrayLike
    seen_classes: IntArray
    unseen_classes: IntArray
    score_space: NotRequired[ScoreSpace]


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The benchmark's figures, fractions in 0…1: CZSL T1; GZSL U, S and H = 2US/(U+S) at `gamma`; AUSUC over all γ."""

    T1: float
    U: float
    S: float
    H: float
    AUSUC: float
    gamma: float

    def to_json(self) -> dict[str, float]:
        """Plain data, field by field."""
        return asdict(self)


@dataclass(frozen=True)
class SeenUnseenCurve:
    """U and S for every γ. They change only at the breakpoints, so K + 1 intervals say everything.

    Attributes:
        breakpoints: (K,) ascending γ at which a right prediction is won or lost.
        U: (K + 1,) accuracy on unseen classes; entry i holds between breakpoints i - 1 and i, the first from -∞.
        S: (K + 1,) accuracy on seen classes, likewise.
    """

    breakpoints: DoubleArray
    U: DoubleArray
    S: DoubleArray

    @property
    def H(self) -> DoubleArray:
        """(K + 1,) harmonic mean of U and S."""
        return harmonic_mean(self.U, self.S)

    @property
    def gammas(self) -> DoubleArray:
        """(K + 1,) one γ inside each interval: its middle, and ∓∞ for the two open ones."""
        middles = (self.breakpoints[:-1] + self.breakpoints[1:]) / 2
        ends = (-np.inf, np.inf) if len(self.breakpoints) else (0.0,)
        return np.concatenate([ends[:1], middles, ends[1:]])

    @property
    def area(self) -> float:
        """AUSUC: the area under S over U by trapezoids, from (0, S at γ = -∞) to (U at γ = +∞, 0)."""
        return float(np.sum((self.U[1:] - self.U[:-1]) * (self.S[1:] + self.S[:-1]) / 2))


def harmonic_mean(first: DoubleArray, second: DoubleArray) -> DoubleArray:
    """2ab / (a + b) element by element, 0 where both are 0."""
    total = first + second
    return np.divide(2 * first * second, total, out=np.zeros_like(total), where=total > 0)


def per_class_accuracy(predicted: IntArray, label: IntArray, classes: IntArray) -> float:
    """Accuracy of every class in `classes`, averaged over them; 0…1.

    Only the true labels decide over which classes the average goes: a class outside `classes` that is predicted
    wrongly does not enter it.

    Args:
        predicted: (n,) global class rows, any class.
        label: (n,) true global class rows, all in `classes`.
        classes: (|Y|,) the classes averaged over.

    Raises EvaluationError when a class has no photo or a label is not in `classes`.
    """
    correct = np.asarray(predicted) == np.asarray(label)
    return float(np.sum(_photo_weights(label, classes) * correct))


def seen_unseen_curve(**judged: Unpack[Judged]) -> SeenUnseenCurve:
    """U and S of ŷ = argmax v·z[c] - γ·1[c seen] (Eq. 22) for every γ, exactly; arguments as in `Judged`. With score
    space "probs" the softmax over all candidates stands for v·z.

    A photo's prediction leaves the seen classes at γ = best seen score - best unseen score, and within either group
    γ changes nothing. So a photo of a seen class whose best seen class is right is right below that γ, one of an
    unseen class whose best unseen class is right is right above it, and all others are wrong at every γ.

    Raises EvaluationError for a class without a photo, an unknown label, or scores that are not finite.
    """
    seen_classes, unseen_classes = judged["seen_classes"], judged["unseen_classes"]
    vectors = np.asarray(judged["class_vectors"], dtype=np.float64)
    space = judged.get("score_space", "logits")
    lost, right, _ = _flips(judged["v_seen"], judged["label_seen"], vectors, seen_classes, unseen_classes, space)
    lost, lost_weight = lost[right], _photo_weights(judged["label_seen"], seen_classes)[right]
    won, _, right = _flips(judged["v_unseen"], judged["label_unseen"], vectors, seen_classes, unseen_classes, space)
    won, won_weight = won[right], _photo_weights(judged["label_unseen"], unseen_classes)[right]

    breakpoints, position = np.unique(np.concatenate([lost, won]), return_inverse=True)
    count = len(breakpoints)
    loss = np.bincount(position[: len(lost)], weights=lost_weight, minlength=count)  # (K,)
    gain = np.bincount(position[len(lost) :], weights=won_weight, minlength=count)  # (K,)
    seen = np.concatenate([np.cumsum(loss[::-1])[::-1], [0.0]])  # (K + 1,): what is still to be lost
    unseen = np.concatenate([[0.0], np.cumsum(gain)])  # (K + 1,)
    return SeenUnseenCurve(breakpoints=breakpoints, U=unseen, S=seen)


def best_gamma(curve: SeenUnseenCurve) -> float:
    """The middle of the interval of γ with the highest H; of equally good intervals the widest.

    0 when H is 0 for every γ: then no calibration is better than any other. The two open intervals have U or S 0,
    so they are never the best otherwise.
    """
    quality = curve.H
    if not quality.max() > 0:
        return 0.0
    best = np.flatnonzero(quality >= quality.max() - 1e-12)
    widths = curve.breakpoints[best] - curve.breakpoints[best - 1]
    return float(curve.gammas[best[np.argmax(widths)]])


def choose_gamma(**judged: Unpack[Judged]) -> float:
    """The γ that maximises H on these photos; for validation photos only. Arguments as in `Judged`."""
    return best_gamma(seen_unseen_curve(**judged))


def evaluate(*, gamma: float, **judged: Unpack[Judged]) -> Metrics:
    """T1, U, S, H at `gamma`, and AUSUC. Arguments as in `Judged`, errors as in `seen_unseen_curve`.

    T1 has the unseen classes as candidates, U and S all of `seen_classes` and `unseen_classes`.
    """
    curve = seen_unseen_curve(**judged)
    seen_classes, unseen_classes = judged["seen_classes"], judged["unseen_classes"]
    vectors = np.asarray(judged["class_vectors"], dtype=np.float64)
    candidates = np.concatenate([seen_classes, unseen_classes])
    handicap = np.where(np.arange(len(candidates)) < len(seen_classes), gamma, 0.0)

    def accuracy(v: ArrayLike, label: IntArray, classes: IntArray) -> float:
        scores = in_space(_scores(v, vectors[candidates]), judged.get("score_space", "logits")) - handicap
        return per_class_accuracy(candidates[scores.argmax(axis=1)], label, classes)

    unseen = accuracy(judged["v_unseen"], judged["label_unseen"], unseen_classes)
    seen = accuracy(judged["v_seen"], judged["label_seen"], seen_classes)
    zero_shot = unseen_classes[_scores(judged["v_unseen"], vectors[unseen_classes]).argmax(axis=1)]
    return Metrics(
        T1=per_class_accuracy(zero_shot, judged["label_unseen"], unseen_classes),
        U=unseen,
        S=seen,
        H=float(harmonic_mean(np.array(unseen), np.array(seen))),
        AUSUC=curve.area,
        gamma=gamma,
    )


def in_space(scores: DoubleArray, space: ScoreSpace) -> DoubleArray:
    """(n, C) what γ is subtracted from, of the scores v·z (n, C) of all candidates."""
    if space == "logits":
        return scores
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _scores(v: ArrayLike, class_vectors: DoubleArray) -> DoubleArray:
    """(n, C) scores v·z of photos (n, A) and classes (C, A)."""
    scores = np.asarray(v, dtype=np.float64) @ class_vectors.T
    if not np.isfinite(scores).all():
        rows = np.flatnonzero(~np.isfinite(scores).all(axis=1))[:3].tolist()
        raise EvaluationError(f"photos {rows} have scores that are not finite; v and class_vectors must be finite")
    return np.asarray(scores)


def _flips(
    v: ArrayLike,
    label: IntArray,
    class_vectors: DoubleArray,
    seen_classes: IntArray,
    unseen_classes: IntArray,
    space: ScoreSpace,
) -> tuple[DoubleArray, NDArray[np.bool_], NDArray[np.bool_]]:
    """(n,) γ at which each photo leaves the seen classes; (n,) is its best seen, (n,) its best unseen class right."""
    seen, unseen = (_scores(v, class_vectors[classes]) for classes in (seen_classes, unseen_classes))
    if space == "probs":
        every = in_space(np.concatenate([seen, unseen], axis=1), space)
        seen, unseen = every[:, : len(seen_classes)], every[:, len(seen_classes) :]
    return (
        seen.max(axis=1) - unseen.max(axis=1),
        seen_classes[seen.argmax(axis=1)] == label,
        unseen_classes[unseen.argmax(axis=1)] == label,
    )


def _photo_weights(label: IntArray, classes: IntArray) -> DoubleArray:
    """(n,) weights 1 / (n_y · |Y|) with which a sum over photos is the per-class accuracy."""
    order = np.argsort(classes)
    ordered = np.asarray(classes)[order]
    position = np.searchsorted(ordered, label)
    known = ordered[np.minimum(position, len(ordered) - 1)] == label
    if not np.all(known):
        bad = np.unique(np.asarray(label)[~known])[:3].tolist()
        raise EvaluationError(f"labels {bad} are not among the {len(classes)} classes averaged over")
    counts = np.bincount(position, minlength=len(ordered))
    if (counts == 0).any():
        bad = ordered[counts == 0][:3].tolist()
        raise EvaluationError(f"classes {bad} have no photo; the per-class accuracy needs at least one of each class")
    return 1.0 / (counts[position] * len(ordered))
