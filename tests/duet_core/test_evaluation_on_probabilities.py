"""γ chosen on and subtracted from probabilities, as the authors' code does, against an explicit loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.calibration import fit_calibration
from duet_core.evaluation import Judged, choose_gamma, evaluate, seen_unseen_curve
from tests.duet_core.test_evaluation import _judged


def on_probabilities(seed: int, signal: float) -> Judged:
    return {**_judged(seed, signal=signal, photos=10), "score_space": "probs"}


def accuracy(judged: Judged, part: str, gamma: float) -> float:
    """Macro accuracy of one part, photo by photo: softmax over all candidates, γ off the seen ones, the best wins."""
    z = np.asarray(judged["class_vectors"]).tolist()
    seen, unseen = judged["seen_classes"].tolist(), judged["unseen_classes"].tolist()
    photos, labels = (
        (judged["v_seen"], judged["label_seen"]) if part == "seen" else (judged["v_unseen"], judged["label_unseen"])
    )
    right: dict[int, list[bool]] = {}
    for v, label in zip(np.asarray(photos).tolist(), labels.tolist(), strict=True):
        scores = {c: math.exp(sum(a * b for a, b in zip(v, z[c], strict=True))) for c in seen + unseen}
        total = sum(scores.values())
        calibrated = {c: score / total - (gamma if c in seen else 0.0) for c, score in scores.items()}
        right.setdefault(label, []).append(max(calibrated, key=lambda c: calibrated[c]) == label)
    return sum(sum(hits) / len(hits) for hits in right.values()) / len(right)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), signal=st.floats(0, 6), gamma=st.floats(-0.5, 1))
def test_metrics_and_curve_equal_the_loop(seed: int, signal: float, gamma: float) -> None:
    judged = on_probabilities(seed, signal)
    metrics = evaluate(**judged, gamma=gamma)
    assert pytest.approx(accuracy(judged, "seen", gamma)) == metrics.S
    assert pytest.approx(accuracy(judged, "unseen", gamma)) == metrics.U
    curve = seen_unseen_curve(**judged)
    assert (np.abs(curve.breakpoints) <= 1).all()
    for inside, unseen, seen in zip(np.clip(curve.gammas, -2, 2)[::5], curve.U[::5], curve.S[::5], strict=True):
        assert unseen == pytest.approx(accuracy(judged, "unseen", float(inside)))
        assert seen == pytest.approx(accuracy(judged, "seen", float(inside)))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), signal=st.floats(0, 6))
def test_the_chosen_gamma_is_the_best_and_candidates_alone_are_told_the_same(seed: int, signal: float) -> None:
    judged = on_probabilities(seed, signal)
    plain: Judged = {**judged, "score_space": "logits"}
    best = evaluate(**judged, gamma=choose_gamma(**judged))
    assert all(evaluate(**judged, gamma=float(other)).H <= best.H + 1e-12 for other in np.linspace(-1, 1, 41))
    assert best.T1 == evaluate(**plain, gamma=0.0).T1  # a softmax keeps the order of one photo's classes
    assert evaluate(**judged, gamma=0.0).U == evaluate(**plain, gamma=0.0).U


def test_logits_are_the_default_and_calibration_says_its_space() -> None:
    plain = _judged(3)
    named: Judged = {**plain, "score_space": "logits"}
    assert evaluate(**plain, gamma=0.2) == evaluate(**named, gamma=0.2)
    judged = on_probabilities(3, 3.0)
    fields = fit_calibration(split="validation", **judged)
    assert fields["score_space"] == "probs"
    assert fields["gamma"] == choose_gamma(**judged) != choose_gamma(**plain)
    assert fit_calibration(split="validation", **plain)["score_space"] == "logits"
