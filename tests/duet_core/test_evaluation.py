"""Macro accuracies, the exact seen-unseen curve, AUSUC and γ, against slow explicit loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from duet_core.evaluation import (
    EvaluationError,
    Judged,
    Metrics,
    SeenUnseenCurve,
    best_gamma,
    choose_gamma,
    evaluate,
    harmonic_mean,
    per_class_accuracy,
    seen_unseen_curve,
)

FloatArray = NDArray[np.float64]


def _judged(seed: int, *, signal: float = 1.0, photos: int = 40) -> Judged:
    """A made-up problem: 5 seen, 3 unseen classes in mixed order, v = noisy class vectors leaning to seen classes."""
    random = np.random.default_rng(seed)
    z = np.abs(random.normal(size=(8, 6)))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    seen, unseen = np.array([6, 0, 3, 5, 1]), np.array([2, 7, 4])
    label_seen = np.concatenate([seen, random.choice(seen, photos)])
    label_unseen = np.concatenate([unseen, random.choice(unseen, photos // 2)])
    lean = 0.5 * z[seen].mean(axis=0)

    def noisy(label: NDArray[np.int64]) -> FloatArray:
        return np.asarray(signal * z[label] + lean + random.normal(scale=0.3, size=(len(label), 6)))

    return {
        "v_seen": noisy(label_seen),
        "label_seen": label_seen,
        "v_unseen": noisy(label_unseen),
        "label_unseen": label_unseen,
        "class_vectors": z,
        "seen_classes": seen,
        "unseen_classes": unseen,
    }


def _slow_accuracy(
    v: FloatArray,
    label: NDArray[np.int64],
    z: FloatArray,
    candidates: list[int],
    averaged: list[int],
    handicapped: list[int],
    gamma: float,
) -> float:
    """Top-1 per class, averaged over classes, one photo and one class at a time."""
    accuracies = []
    for y in averaged:
        right = total = 0
        for row in range(len(label)):
            if label[row] != y:
                continue
            scores = {c: float(v[row] @ z[c]) - (gamma if c in handicapped else 0.0) for c in candidates}
            right += max(scores, key=lambda c: scores[c]) == y
            total += 1
        accuracies.append(right / total)
    return sum(accuracies) / len(accuracies)


def _slow(judged: Judged, gamma: float) -> tuple[float, float, float]:
    """(T1, U, S) by explicit loops."""
    z = np.asarray(judged["class_vectors"])
    seen, unseen = judged["seen_classes"].tolist(), judged["unseen_classes"].tolist()
    v_seen, v_unseen = np.asarray(judged["v_seen"]), np.asarray(judged["v_unseen"])
    every = seen + unseen
    return (
        _slow_accuracy(v_unseen, judged["label_unseen"], z, unseen, unseen, seen, 0.0),
        _slow_accuracy(v_unseen, judged["label_unseen"], z, every, unseen, seen, gamma),
        _slow_accuracy(v_seen, judged["label_seen"], z, every, seen, seen, gamma),
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), gamma=st.floats(-1, 2), signal=st.floats(0, 2))
def test_metrics_match_explicit_loops(seed: int, gamma: float, signal: float) -> None:
    judged = _judged(seed, signal=signal, photos=12)
    metrics = evaluate(**judged, gamma=gamma)
    t1, unseen, seen = _slow(judged, gamma)
    mean = 2 * unseen * seen / (unseen + seen) if unseen + seen else 0.0
    expected = {"T1": t1, "U": unseen, "S": seen, "H": mean, "gamma": gamma}
    assert {name: value for name, value in metrics.to_json().items() if name != "AUSUC"} == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), signal=st.floats(0, 2))
def test_curve_is_exact_in_every_interval(seed: int, signal: float) -> None:
    judged = _judged(seed, signal=signal, photos=8)
    curve = seen_unseen_curve(**judged)
    assert np.all(np.diff(curve.breakpoints) > 0)
    assert len(curve.U) == len(curve.S) == len(curve.gammas) == len(curve.breakpoints) + 1
    for gamma, unseen, seen in zip(np.clip(curve.gammas, -1e3, 1e3), curve.U, curve.S, strict=True):
        _, slow_unseen, slow_seen = _slow(judged, gamma)
        assert (unseen, seen) == pytest.approx((slow_unseen, slow_seen))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), signal=st.floats(0, 2))
def test_curve_falls_in_seen_rises_in_unseen_and_ends_at_the_axes(seed: int, signal: float) -> None:
    judged = _judged(seed, signal=signal)
    curve = seen_unseen_curve(**judged)
    assert np.all(np.diff(curve.U) >= -1e-12)
    assert np.all(np.diff(curve.S) <= 1e-12)
    assert curve.U[0] == 0
    assert curve.S[-1] == 0
    metrics = evaluate(**judged, gamma=0.0)
    assert curve.U[-1] == pytest.approx(metrics.T1)
    assert 0 <= curve.area <= curve.U[-1] * curve.S[0] + 1e-12
    assert curve.area == metrics.AUSUC


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), signal=st.floats(0, 2))
def test_no_gamma_beats_the_chosen_one(seed: int, signal: float) -> None:
    judged = _judged(seed, signal=signal, photos=10)
    best = evaluate(**judged, gamma=choose_gamma(**judged)).H
    for gamma in np.linspace(-2, 2, 15):
        other = evaluate(**judged, gamma=float(gamma))
        assert best >= other.H - 1e-12


def test_area_against_a_dense_sweep() -> None:
    judged = _judged(1)
    curve = seen_unseen_curve(**judged)
    sweep = [evaluate(**judged, gamma=float(gamma)) for gamma in np.linspace(-2, 2, 801)]
    area = sum((b.U - a.U) * (a.S + b.S) / 2 for a, b in itertools.pairwise(sweep))
    assert curve.area == pytest.approx(area, abs=0.01)


def test_area_of_a_hand_made_curve() -> None:
    curve = SeenUnseenCurve(np.array([0.0, 1.0, 2.0]), U=np.array([0, 0.5, 0.5, 1]), S=np.array([1, 1, 0.5, 0]))
    assert curve.area == pytest.approx(0.5 * 1 + 0.5 * 0.25)
    assert curve.gammas.tolist() == [-np.inf, 0.5, 1.5, np.inf]
    assert curve.H.tolist() == pytest.approx([0, 2 / 3, 0.5, 0])
    assert best_gamma(curve) == 0.5


def test_gamma_is_the_middle_of_the_widest_best_interval() -> None:
    curve = SeenUnseenCurve(
        np.array([0.0, 1.0, 2.0, 6.0]), U=np.array([0, 0.5, 0.4, 1, 1]), S=np.array([1, 1, 0.9, 0.5, 0])
    )
    assert best_gamma(curve) == 4.0


def test_gamma_is_0_where_none_helps() -> None:
    judged = _judged(0)
    wrong = np.roll(judged["unseen_classes"], 1)
    judged["v_unseen"] = np.asarray(judged["class_vectors"])[wrong]
    judged["label_unseen"] = judged["unseen_classes"]
    assert choose_gamma(**judged) == 0.0
    assert best_gamma(SeenUnseenCurve(np.empty(0), U=np.zeros(1), S=np.zeros(1))) == 0.0
    assert SeenUnseenCurve(np.empty(0), U=np.zeros(1), S=np.zeros(1)).gammas.tolist() == [0.0]


def test_shifting_the_seen_scores_shifts_gamma_alone() -> None:
    """A new attribute that only seen classes have adds a constant to their scores; γ takes it back."""
    judged = _judged(5)
    z = np.asarray(judged["class_vectors"])
    mark = np.isin(np.arange(len(z)), judged["seen_classes"]).astype(float)[:, None]
    shifted: Judged = {**judged, "class_vectors": np.hstack([z, mark])}
    shifted["v_seen"], shifted["v_unseen"] = (
        np.hstack([np.asarray(v), np.full((len(np.asarray(v)), 1), 0.75)])
        for v in (judged["v_seen"], judged["v_unseen"])
    )
    gamma = choose_gamma(**judged)
    assert choose_gamma(**shifted) == pytest.approx(gamma + 0.75)
    first, second = evaluate(**judged, gamma=gamma), evaluate(**shifted, gamma=gamma + 0.75)
    assert (first.U, first.S) == (second.U, second.S)
    assert pytest.approx(second.AUSUC) == first.AUSUC


def test_trap_every_wrong_answer_is_a_seen_class() -> None:
    """U averages over the unseen classes alone; averaging over all classes with a prediction would halve it."""
    z = np.eye(4)
    judged: Judged = {
        "v_seen": z[[0, 1]],
        "label_seen": np.array([0, 1]),
        "v_unseen": z[[2, 0, 3, 1]],  # two right, and one false positive for each seen class
        "label_unseen": np.array([2, 2, 3, 3]),
        "class_vectors": z,
        "seen_classes": np.array([0, 1]),
        "unseen_classes": np.array([2, 3]),
    }
    assert evaluate(**judged, gamma=0.0).U == 0.5
    predicted, label = np.array([2, 0, 3, 1]), judged["label_unseen"]
    over_all = np.mean([np.mean(predicted[label == c] == c) if (label == c).any() else 0.0 for c in range(4)])
    assert over_all == 0.25


def test_macro_is_not_micro() -> None:
    predicted, label = np.array([1, 1, 1, 1, 1]), np.array([1, 1, 1, 1, 2])
    assert per_class_accuracy(predicted, label, np.array([2, 1])) == 0.5


def test_classes_without_photos_and_unknown_labels_are_refused() -> None:
    with pytest.raises(EvaluationError, match=r"classes \[3\] have no photo"):
        per_class_accuracy(np.array([1]), np.array([1]), np.array([1, 3]))
    with pytest.raises(EvaluationError, match=r"labels \[0, 9\] are not among the 1 classes"):
        per_class_accuracy(np.array([1, 1, 1]), np.array([0, 1, 9]), np.array([1]))


def test_scores_that_are_not_finite_are_refused() -> None:
    judged = _judged(0)
    v = np.array(judged["v_unseen"])
    v[2, 0] = np.nan
    judged["v_unseen"] = v
    with pytest.raises(EvaluationError, match=r"photos \[2\] have scores that are not finite"):
        seen_unseen_curve(**judged)


def test_single_precision_gives_the_same_accuracy() -> None:
    judged = _judged(2)
    as_float32: Judged = {**judged, "v_seen": np.asarray(judged["v_seen"], dtype=np.float32)}
    assert pytest.approx(evaluate(**judged, gamma=0.1).S) == evaluate(**as_float32, gamma=0.1).S


def test_harmonic_mean_of_nothing_is_0() -> None:
    assert harmonic_mean(np.array([0.0, 0.5]), np.array([0.0, 0.5])).tolist() == [0.0, 0.5]


def test_metrics_as_plain_data() -> None:
    metrics = Metrics(T1=0.1, U=0.2, S=0.3, H=0.24, AUSUC=0.05, gamma=0.7)
    assert metrics.to_json() == {"T1": 0.1, "U": 0.2, "S": 0.3, "H": 0.24, "AUSUC": 0.05, "gamma": 0.7}
