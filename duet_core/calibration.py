"""Scores made trustworthy on validation photos: temperature, calibration error, rejection threshold.

Letter key: N photos, A attributes, C candidate classes. Needs scipy (extra `train`); the service only reads the result.
"""

from __future__ import annotations

import logging
import math
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from duet_core.classes import IntArray
from duet_core.evaluation import Judged, choose_gamma, in_space
from duet_core.runtime.calibration import PERCENTILES
from duet_core.runtime.evidence import EvidenceKind

DoubleArray = NDArray[np.float64]

_LOGGER = logging.getLogger(__name__)
_LOG_RANGE = math.log(1e4)
_BINS = 15


def probabilities(scores: ArrayLike, temperature: float) -> DoubleArray:
    """(N, C) softmax of scores / temperature over the candidates."""
    exponent = np.asarray(scores, dtype=np.float64) / temperature
    exponent -= exponent.max(axis=1, keepdims=True)
    weights = np.exp(exponent)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def negative_log_likelihood(
    scores: ArrayLike, label: IntArray, temperature: float, weight: DoubleArray | None = None
) -> float:
    """Mean of -log softmax(scores / temperature) at the true column, in nats; weighted when `weight` is given."""
    exponent = np.asarray(scores, dtype=np.float64) / temperature
    top = exponent.max(axis=1)
    log_sum = top + np.log(np.exp(exponent - top[:, None]).sum(axis=1))
    return float(np.average(log_sum - exponent[np.arange(len(label)), label], weights=weight))


def fit_temperature(scores_after_gamma: ArrayLike, label: IntArray, weight: DoubleArray | None = None) -> float:
    """The temperature T > 0 with the highest likelihood of the true classes under softmax(scores / T).

    The likelihood is convex in 1/T, so there is one optimum. It is sought from 1/10,000 to 10,000 times the standard
    deviation of the scores; T at an end of that range (all photos right, or no better than chance) is logged.

    Args:
        scores_after_gamma: (N, C) v·z - γ·1[c seen].
        label: (N,) true columns, 0…C-1.
        weight: (N,) weights of the photos; equal when not given.

    Raises ValueError when all scores are equal: no temperature makes a difference then.
    """
    from scipy.optimize import minimize_scalar

    scores = np.asarray(scores_after_gamma, dtype=np.float64)
    spread = float(scores.std())
    if not spread > 0 or not math.isfinite(spread):
        raise ValueError(f"scores have standard deviation {spread}; finite scores that differ are needed")
    centre = math.log(spread)
    result = minimize_scalar(
        lambda log_t: negative_log_likelihood(scores, label, math.exp(log_t), weight),
        bounds=(centre - _LOG_RANGE, centre + _LOG_RANGE),
        method="bounded",
        options={"xatol": 1e-6},
    )
    log_temperature = float(result.x)
    if abs(log_temperature - centre) > _LOG_RANGE - 0.01:
        _LOGGER.warning(
            "temperature %.3g is at the end of its range; these photos do not fix it", math.exp(log_temperature)
        )
    return math.exp(log_temperature)


def expected_calibration_error(
    prob: ArrayLike, label: IntArray, bins: int = _BINS, weight: DoubleArray | None = None
) -> float:
    """ECE of the first prediction: |accuracy - mean confidence| per bin, averaged by the share of photos; 0…1.

    Args:
        prob: (N, C) probabilities.
        label: (N,) true columns.
        bins: number of bins of equal width over 0…1, each closed above (Guo et al., 2017).
        weight: (N,) weights of the photos; equal when not given.
    """
    probability = np.asarray(prob, dtype=np.float64)
    share = np.ones(len(label)) if weight is None else weight
    share = share / share.sum()
    confidence = probability.max(axis=1)
    excess = (probability.argmax(axis=1) == label) - confidence  # (N,)
    rows = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return min(float(np.abs(np.bincount(rows, weights=share * excess, minlength=bins)).sum()), 1.0)  # rounding


def max_cosine(v: ArrayLike, class_vectors: ArrayLike) -> DoubleArray:
    """(N,) evidence that a photo shows one of the classes: the highest cosine of v (N, A) with a row of z (C, A)."""
    photos, classes = _directions(v, "v"), _directions(class_vectors, "class_vectors")
    return np.asarray(np.clip((photos @ classes.T).max(axis=1), -1.0, 1.0))  # rounding may pass 1


def centred_cosine(v: ArrayLike, class_vectors: ArrayLike, seen_vectors: ArrayLike) -> DoubleArray:
    """(N,) the highest cosine of v (N, A) and z (C, A), the direction of the mean of `seen_vectors` taken out of both.

    What the runtime's `Evidence("centred_cosine")` says of one photo after the other.
    """
    mean = _directions(np.asarray(seen_vectors, dtype=np.float64).mean(axis=0, keepdims=True), "seen_vectors")[0]

    def rest(rows: ArrayLike) -> DoubleArray:
        vectors = np.asarray(rows, dtype=np.float64)
        return np.asarray(vectors - (vectors @ mean)[:, None] * mean)

    return max_cosine(rest(v), rest(class_vectors))


def _directions(rows: ArrayLike, what: str) -> DoubleArray:
    vectors = np.asarray(rows, dtype=np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (norms > 0).all() or not np.isfinite(norms).all():
        bad = np.flatnonzero(~((norms > 0) & np.isfinite(norms)))[:3].tolist()
        raise ValueError(f"{what}: rows {bad} are all 0 or not finite; such a vector has no direction")
    return np.asarray(vectors / norms)


def rejection_threshold(evidence: ArrayLike, false_reject_rate: float, weight: DoubleArray | None = None) -> float:
    """The highest threshold that wrongly rejects at most the given share of photos of known classes.

    A photo is accepted when its evidence is at or above the threshold.

    Args:
        evidence: (N,) of photos whose class is among the candidates.
        false_reject_rate: 0 to below 1, for example 0.05.
        weight: (N,) weights of the photos; equal when not given.

    Raises ValueError for a rate out of range or no photo.
    """
    if not 0.0 <= false_reject_rate < 1.0:
        raise ValueError(f"false_reject_rate: got {false_reject_rate}; allowed is 0 to below 1, for example 0.05")
    values = np.asarray(evidence, dtype=np.float64)
    if not len(values):
        raise ValueError("evidence is empty; at least one photo is needed")
    share = np.ones(len(values)) if weight is None else weight
    order = np.argsort(values)
    below = np.cumsum(share[order]) - share[order]  # weight strictly before each photo in ascending order
    allowed = np.flatnonzero(below <= false_reject_rate * share.sum() * (1 + 1e-12))
    return float(values[order][allowed[-1]])


def _weighted_percentiles(values: DoubleArray, weight: DoubleArray) -> DoubleArray:
    """(101,) the least value that has at least 0, 1, … 100 % of the weight at or below it."""
    order = np.argsort(values)
    reached = np.cumsum(weight[order]) / weight.sum()
    rows = np.searchsorted(reached, np.arange(PERCENTILES) / (PERCENTILES - 1) - 1e-12)
    return np.asarray(values[order][np.minimum(rows, len(values) - 1)])


def fit_calibration(
    *, false_reject_rate: float = 0.05, evidence: EvidenceKind = "centred_cosine", split: str, **judged: Unpack[Judged]
) -> dict[str, object]:
    """All fields of a bundle's ``calibration.json``, from validation photos.

    γ maximises H in the score space of `judged`, of which temperature and margins are too. Temperature, ECE and
    threshold are fitted on the photos of seen and unseen classes together, each group weighing one half whatever its
    number of photos: at work neither is known to be the more frequent. ECE before is at temperature 1; all ECE are
    measured on the photos of the fit (one parameter is fitted).

    Args:
        false_reject_rate: share of photos of known classes that may be answered "none of these".
        evidence: what the threshold is compared with.
        split: the name of the split the photos are of, written into the file.
        judged: the predictions for validation photos, as in `duet_core.evaluation.Judged`.

    Raises EvaluationError or ValueError for photos that cannot be judged.
    """
    gamma = choose_gamma(**judged)
    z, v, label, is_seen = candidate_columns(**judged)
    weight = np.where(is_seen, 0.5 / is_seen.sum(), 0.5 / (~is_seen).sum())
    seen_count = len(judged["seen_classes"])
    space = judged.get("score_space", "logits")
    scores = in_space(v @ z.T, space) - gamma * (np.arange(len(z)) < seen_count)
    temperature = fit_temperature(scores, label, weight)
    found = max_cosine(v, z) if evidence == "max_cosine" else centred_cosine(v, z, z[:seen_count])
    threshold = rejection_threshold(found, false_reject_rate, weight)
    before, after = probabilities(scores, 1.0), probabilities(scores, temperature)
    fields: dict[str, object] = {
        "score_space": space,
        "gamma": gamma,
        "temperature": temperature,
        "threshold": threshold,
        "evidence": evidence,
        "false_reject_rate": false_reject_rate,
        "ece_before": expected_calibration_error(before, label, weight=weight),
        "ece_after": expected_calibration_error(after, label, weight=weight),
        "split": split,
        "n_photos": len(label),
        "evidence_percentiles": _weighted_percentiles(found, weight).round(6).tolist(),
    }
    margin = scores.max(axis=1) - scores[np.arange(len(label)), label]
    for group, mask in (("seen", is_seen), ("unseen", ~is_seen)):
        fields |= {
            f"n_{group}": int(mask.sum()),
            f"ece_{group}_before": expected_calibration_error(before[mask], label[mask]),
            f"ece_{group}_after": expected_calibration_error(after[mask], label[mask]),
            f"false_reject_{group}": float((found[mask] < threshold).mean()),
            f"margins_{group}": np.percentile(margin[mask], np.arange(PERCENTILES)).round(6).tolist(),
        }
    return fields


def candidate_columns(**judged: Unpack[Judged]) -> tuple[DoubleArray, DoubleArray, IntArray, NDArray[np.bool_]]:
    """Photos of both groups over one set of candidates, seen classes first.

    Returns z (C, A) of the candidates, v (N, A), the (N,) true columns, and (N,) whether a photo's class is seen.
    """
    candidates = np.concatenate([judged["seen_classes"], judged["unseen_classes"]])
    v = np.concatenate([np.asarray(judged[part], dtype=np.float64) for part in ("v_seen", "v_unseen")])
    column = np.zeros(int(candidates.max()) + 1, dtype=np.int64)
    column[candidates] = np.arange(len(candidates))
    label = column[np.concatenate([judged["label_seen"], judged["label_unseen"]])]
    is_seen = np.arange(len(v)) < len(judged["label_seen"])
    return np.asarray(judged["class_vectors"], dtype=np.float64)[candidates], v, label, is_seen
