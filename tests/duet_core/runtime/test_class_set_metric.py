"""Class sets, rankings and evidence in a metric of the model's own, against explicit coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.calibration import centred_cosine, max_cosine
from duet_core.classes import FloatArray, unit_rows
from duet_core.runtime.class_set import BlockView, ClassBlock
from duet_core.runtime.evidence import Evidence, EvidenceKind
from duet_core.runtime.metric import EUCLIDEAN, Metric
from duet_core.runtime.scoring import ClassSet, rank
from tests.made_metric import made_metric, predictable

COUNT, ATTRIBUTES = 7, 6
METRIC = made_metric(3, ATTRIBUTES, 4)
KINDS: tuple[EvidenceKind, ...] = ("max_cosine", "centred_cosine")


def degrees_of(seed: int, count: int = COUNT) -> FloatArray:
    return np.random.default_rng(seed).random((count, ATTRIBUTES), dtype=np.float32) + np.float32(0.05)


def block(name: str, degrees: FloatArray, metric: Metric) -> ClassBlock:
    names = tuple(f"{name}-{row}" for row in range(len(degrees)))
    return ClassBlock(
        ids=names, labels=names, seen=np.arange(len(names)) % 2 == 0, z=metric.unit(degrees), metric=metric
    )


def classes(degrees: FloatArray, metric: Metric = METRIC) -> ClassSet:
    return ClassSet.of([BlockView(block("class", degrees, metric))])


def test_class_vectors_of_another_metric_are_refused() -> None:
    degrees, row = degrees_of(0), {"ids": ("a",), "labels": ("A",), "seen": np.array([True])}
    for vectors, metric in ((METRIC.unit(degrees), EUCLIDEAN), (unit_rows(degrees), METRIC)):
        with pytest.raises(ValueError, match=r"class 'a': z has norm .*; class vectors have unit norm"):
            ClassSet(**row, z=vectors[:1], metric=metric)  # type: ignore[arg-type]
    assert ClassSet(**row, z=METRIC.unit(degrees)[:1], metric=METRIC).metric is METRIC  # type: ignore[arg-type]
    assert ClassSet(**row, z=unit_rows(degrees)[:1]).metric is EUCLIDEAN  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", [EUCLIDEAN, METRIC], ids=["Euclid", "own"])
def test_cosines_are_euclids_whatever_the_metric_and_of_the_classes_shown(metric: Metric) -> None:
    first, second = degrees_of(1), degrees_of(2)
    live = np.array([True, False, True, True, False, False, True])
    shown = ClassSet.of([BlockView(block("a", first, metric)), BlockView(block("b", second, metric), live)])
    asked = 0.3 * degrees_of(5, 1)[0]
    every = np.concatenate([first, second[live]]).astype(np.float64)
    expected = [row @ asked / np.sqrt((row @ row) * (asked @ asked)) for row in every]
    np.testing.assert_allclose(shown.cosines(asked), expected, rtol=1e-5)
    assert shown.cosines(asked).dtype == np.float32
    assert shown.cosines(0.1 * second[2])[COUNT + 1] == pytest.approx(1, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), rank_of_metric=st.integers(3, ATTRIBUTES))
def test_a_ranking_is_by_products_and_its_cosine_that_of_coordinates(seed: int, rank_of_metric: int) -> None:
    metric = made_metric(seed, ATTRIBUTES, rank_of_metric)
    degrees, v = degrees_of(seed), predictable(seed, metric)[0]
    class_set = classes(degrees, metric)
    z, gamma = metric.unit(degrees).astype(np.float64), 0.4
    scores = z @ v
    calibrated = scores - gamma * class_set.seen
    ranking = rank(v, class_set, gamma=gamma, temperature=0.5, threshold=0.1, top_k=COUNT)
    order = np.argsort(-calibrated, kind="stable")
    assert [prediction.class_id for prediction in ranking.predictions] == [f"class-{row}" for row in order]
    tolerance = 1e-5 * float(np.abs(scores).max() + np.abs(v).max() * np.abs(z).max())
    found = [(prediction.score, prediction.calibrated_score) for prediction in ranking.predictions]
    np.testing.assert_allclose(found, np.stack([scores, calibrated], axis=1)[order], atol=tolerance)
    photo, prototypes = metric.photo_coordinates(v), metric.class_coordinates(z)
    cosines = prototypes @ photo / np.linalg.norm(photo)
    assert ranking.decision.score == pytest.approx(cosines.max(), abs=1e-3)
    assert -1.001 <= ranking.decision.score <= 1.001
    assert ranking.decision.accepted == (ranking.decision.score >= 0.1)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), rank_of_metric=st.integers(3, ATTRIBUTES))
def test_evidence_is_that_of_explicit_coordinates(seed: int, rank_of_metric: int) -> None:
    metric = made_metric(seed, ATTRIBUTES, rank_of_metric)
    class_set, v = classes(degrees_of(seed), metric), predictable(seed, metric)[0]
    coordinates = metric.class_coordinates(class_set.z)
    photo = metric.photo_coordinates(v)
    mean = coordinates[class_set.seen].mean(axis=0)
    mean /= np.linalg.norm(mean)
    rest, photo_rest = coordinates - np.outer(coordinates @ mean, mean), photo - photo @ mean * mean
    lengths = np.linalg.norm(rest, axis=1) * np.linalg.norm(photo_rest)
    explicit = {
        "max_cosine": coordinates @ photo / (np.linalg.norm(coordinates, axis=1) * np.linalg.norm(photo)),
        "centred_cosine": rest @ photo_rest / lengths,
    }
    scores = class_set.scores(v).astype(np.float64)
    near_mean = (np.abs(class_set.z).max() / np.linalg.norm(rest, axis=1).min()) ** 2  # where float32 says little
    tolerance = 1e-3 + 1e-5 * max(np.abs(v).max() * np.abs(class_set.z).max() / lengths.min(), near_mean)
    for kind in KINDS:
        evidence = Evidence.of(kind, class_set.z[class_set.seen], metric)
        values = evidence.values(v, scores, class_set.along(evidence.mean))
        np.testing.assert_allclose(values, explicit[kind], atol=tolerance)
        decision = rank(v, class_set, gamma=0.2, temperature=1.0, threshold=0.0, evidence=evidence).decision
        assert decision.score == pytest.approx(explicit[kind].max(), abs=tolerance)
    np.testing.assert_allclose(class_set.along(evidence.mean), coordinates @ mean, atol=1e-3)
    many = centred_cosine(photo[None], coordinates, coordinates[class_set.seen])
    assert many[0] == pytest.approx(explicit["centred_cosine"].max(), abs=1e-6)
    assert max_cosine(photo[None], coordinates)[0] == pytest.approx(explicit["max_cosine"].max(), abs=1e-6)


def test_evidence_does_not_change_with_the_length_of_v_and_differs_from_euclids() -> None:
    class_set, v = classes(degrees_of(8)), predictable(8, METRIC)[0]
    for kind in KINDS:
        own, plain = Evidence.of(kind, class_set.z, METRIC), Evidence.of(kind, class_set.z)
        first, longer, other = (
            evidence.values(photo, class_set.scores(photo).astype(np.float64), class_set.along(evidence.mean))
            for evidence, photo in ((own, v), (own, 8 * v), (plain, v))
        )
        np.testing.assert_allclose(longer, first, atol=1e-4)
        assert np.abs(first - other).max() > 0.01
    assert np.abs(own.values(np.zeros_like(v), np.zeros(COUNT), class_set.along(own.mean))).max() == 0
