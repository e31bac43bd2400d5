"""Temperature, calibration error and rejection threshold."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.calibration import (
    candidate_columns,
    centred_cosine,
    expected_calibration_error,
    fit_calibration,
    fit_temperature,
    max_cosine,
    negative_log_likelihood,
    probabilities,
    rejection_threshold,
)
from duet_core.evaluation import Judged, choose_gamma
from duet_core.runtime.calibration import Calibration


def test_probabilities_and_likelihood_of_a_small_case() -> None:
    scores = np.array([[0.0, math.log(3)], [1000.0, 0.0]])
    np.testing.assert_allclose(probabilities(scores, 1.0), [[0.25, 0.75], [1.0, 0.0]], atol=1e-12)
    label = np.array([0, 0])
    assert negative_log_likelihood(scores, label, 1.0) == pytest.approx(math.log(4) / 2)
    assert negative_log_likelihood(scores, label, 1.0, np.array([3.0, 1.0])) == pytest.approx(math.log(4) * 0.75)


@pytest.mark.parametrize("temperature", [0.02, 0.5, 7.0])
def test_known_temperature_is_found(temperature: float) -> None:
    """Labels drawn from softmax(scores / T) have their best likelihood near T."""
    random = np.random.default_rng(0)
    scores = random.normal(size=(20_000, 5)) * 2 * temperature
    cumulated = probabilities(scores, temperature).cumsum(axis=1)
    label = (random.random((len(scores), 1)) > cumulated).sum(axis=1)
    assert fit_temperature(scores, label) == pytest.approx(temperature, rel=0.03)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000))
def test_no_other_temperature_is_more_likely(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores, label = random.normal(size=(30, 4)), random.integers(0, 4, 30)
    weight = random.uniform(0.1, 1, 30)
    best = negative_log_likelihood(scores, label, fit_temperature(scores, label, weight), weight)
    for factor in np.logspace(-2, 3, 20):
        assert best <= negative_log_likelihood(scores, label, float(factor), weight) + 1e-6


def test_weight_counts_like_repetition() -> None:
    random = np.random.default_rng(1)
    scores, label = random.normal(size=(40, 3)), random.integers(0, 3, 40)
    scores[np.arange(40), label] += 1
    twice = np.r_[np.arange(40), np.arange(10)]
    weight = np.r_[np.full(10, 2.0), np.ones(30)]
    assert fit_temperature(scores, label, weight) == pytest.approx(
        fit_temperature(scores[twice], label[twice]), rel=1e-3
    )


def test_undetermined_temperature_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        fit_temperature(np.eye(3), np.array([1, 2, 0]))
    assert "at the end of its range" in caplog.text


def test_equal_scores_are_refused() -> None:
    with pytest.raises(ValueError, match=r"standard deviation 0\.0"):
        fit_temperature(np.ones((3, 2)), np.array([0, 1, 0]))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), bins=st.integers(1, 20), weighted=st.booleans())
def test_calibration_error_against_a_loop(seed: int, bins: int, weighted: bool) -> None:
    random = np.random.default_rng(seed)
    prob, label = random.dirichlet(np.ones(4), 25), random.integers(0, 4, 25)
    weight = random.uniform(0.1, 1, 25) if weighted else np.ones(25)
    expected = 0.0
    for low in range(bins):
        rows = [r for r in range(25) if low / bins < prob[r].max() <= (low + 1) / bins]
        if rows:
            total = sum(weight[r] for r in rows)
            accuracy = sum(weight[r] * (prob[r].argmax() == label[r]) for r in rows) / total
            confidence = sum(weight[r] * prob[r].max() for r in rows) / total
            expected += total / weight.sum() * abs(accuracy - confidence)
    got = expected_calibration_error(prob, label, bins, weight if weighted else None)
    assert got == pytest.approx(expected)


def test_calibration_error_of_certain_answers() -> None:
    assert expected_calibration_error(np.eye(2), np.array([0, 1])) == 0.0
    assert expected_calibration_error(np.eye(2), np.array([1, 0])) == 1.0


@settings(max_examples=40, deadline=None)
@given(
    evidence=st.lists(st.integers(-20, 20), min_size=1, max_size=40),
    rate=st.floats(0, 0.99),
)
def test_threshold_is_the_highest_within_the_rate(evidence: list[int], rate: float) -> None:
    values = np.array(evidence) / 10
    threshold = rejection_threshold(values, rate)
    assert (values < threshold).mean() <= rate + 1e-9
    higher = values[values > threshold]
    if len(higher):
        assert (values < higher.min()).mean() > rate - 1e-9


def test_threshold_weighs_photos() -> None:
    evidence = np.arange(10) / 10
    assert rejection_threshold(evidence, 0.2) == 0.2
    weight = np.r_[[10.0], np.ones(9)]
    assert rejection_threshold(evidence, 0.2, weight) == 0.0


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="allowed is 0 to below 1"):
        rejection_threshold(np.ones(3), rate)


def test_no_evidence_is_refused() -> None:
    with pytest.raises(ValueError, match="evidence is empty"):
        rejection_threshold(np.empty(0), 0.05)


def test_max_cosine_ignores_length() -> None:
    z = np.array([[2.0, 0.0], [0.0, 5.0]])
    np.testing.assert_allclose(max_cosine(np.array([[3.0, 3.0], [0.0, 1e-6]]), z), [math.sqrt(0.5), 1.0])
    with pytest.raises(ValueError, match=r"v: rows \[1\] are all 0"):
        max_cosine(np.array([[1.0, 0.0], [0.0, 0.0]]), z)


@pytest.fixture
def judged() -> Judged:
    """Four seen and two unseen classes, four times as many photos of seen classes."""
    random = np.random.default_rng(4)
    z = np.abs(random.normal(size=(6, 5)))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    seen, unseen = np.array([5, 1, 2, 0]), np.array([3, 4])
    label_seen, label_unseen = np.tile(seen, 40), np.tile(unseen, 20)
    return {
        "v_seen": z[label_seen] + random.normal(scale=0.2, size=(160, 5)),
        "label_seen": label_seen,
        "v_unseen": z[label_unseen] + random.normal(scale=0.3, size=(40, 5)),
        "label_unseen": label_unseen,
        "class_vectors": z,
        "seen_classes": seen,
        "unseen_classes": unseen,
    }


def test_all_fields_of_the_calibration_file(judged: Judged) -> None:
    fields = fit_calibration(**judged, split="validation")
    assert Calibration.from_json(fields).to_json() == fields
    assert (fields["score_space"], fields["evidence"]) == ("logits", "centred_cosine")
    assert (fields["split"], fields["n_photos"], fields["false_reject_rate"]) == ("validation", 200, 0.05)
    assert fields["gamma"] == choose_gamma(**judged)
    assert float(str(fields["ece_after"])) < float(str(fields["ece_before"]))


def test_threshold_keeps_the_rate_with_both_groups_weighing_half(judged: Judged) -> None:
    fields = fit_calibration(**judged, split="validation", false_reject_rate=0.1, evidence="max_cosine")
    threshold = float(str(fields["threshold"]))
    rejected = [
        (max_cosine(judged[part], judged["class_vectors"]) < threshold).mean() for part in ("v_seen", "v_unseen")
    ]
    assert 0.07 < sum(rejected) / 2 <= 0.1


def test_either_group_is_published(judged: Judged) -> None:
    fields = Calibration.from_json(fit_calibration(**judged, split="validation", false_reject_rate=0.1))
    assert (fields.n_seen, fields.n_unseen) == (160, 40)
    assert fields.false_reject_seen is not None
    assert fields.false_reject_unseen is not None
    assert 0.05 < (fields.false_reject_seen + fields.false_reject_unseen) / 2 <= 0.1
    z, v, label, is_seen = candidate_columns(**judged)
    scores = v @ z.T - fields.gamma * (np.arange(6) < 4)
    margin = scores.max(axis=1) - scores[np.arange(200), label]
    for percentiles, mask in ((fields.margins_seen, is_seen), (fields.margins_unseen, ~is_seen)):
        assert percentiles is not None
        assert percentiles[0] == margin[mask].min()
        assert percentiles[100] == pytest.approx(margin[mask].max(), abs=1e-6)
        assert percentiles[50] == pytest.approx(np.median(margin[mask]), abs=1e-6)


def test_percentiles_of_the_evidence_weigh_both_groups_alike(judged: Judged) -> None:
    fields = Calibration.from_json(fit_calibration(**judged, split="validation", evidence="max_cosine"))
    percentiles = np.array(fields.evidence_percentiles)
    seen, unseen = (max_cosine(judged[part], judged["class_vectors"]) for part in ("v_seen", "v_unseen"))
    both = np.concatenate([seen, unseen])
    np.testing.assert_allclose(percentiles[[0, 100]], [both.min(), both.max()], atol=1e-6)
    for percent in (10, 25, 50, 90):
        below = [(group <= percentiles[percent] + 1e-6).mean() for group in (seen, unseen)]
        assert sum(below) / 2 == pytest.approx(percent / 100, abs=0.0126)  # a photo of an unseen class weighs 1/80
    assert percentiles[5] == pytest.approx(fields.threshold, abs=0.05)


def test_the_mean_class_does_not_count_as_evidence() -> None:
    """A photo of nothing but what all classes share is as near to one as to the other."""
    z = np.array([[2.0, 1.0, 0.0], [2.0, -1.0, 0.0]])
    photos = np.array([[2.0, 1.0, 0.0], [9.0, 0.0, 1.0]])
    assert max_cosine(photos, z)[1] > 0.88
    np.testing.assert_allclose(centred_cosine(photos, z, z), [1.0, 0.0], atol=1e-9)


def test_temperature_does_not_change_when_seen_photos_are_doubled(judged: Judged) -> None:
    doubled: Judged = {
        **judged,
        "v_seen": np.repeat(np.asarray(judged["v_seen"]), 2, axis=0),
        "label_seen": np.repeat(judged["label_seen"], 2),
    }
    first, second = fit_calibration(**judged, split="a"), fit_calibration(**doubled, split="a")
    assert first["temperature"] == pytest.approx(second["temperature"], rel=1e-4)
    assert first["gamma"] == pytest.approx(second["gamma"])
