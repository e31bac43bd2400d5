"""Ranking, probabilities, decision and contributions hold together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.classes import FloatArray, unit_rows
from duet_core.runtime.scoring import (
    BlockView,
    Candidates,
    ClassBlock,
    ClassSet,
    Ranking,
    RankingError,
    contributions,
    rank,
)


def class_set(count: int = 6, attributes: int = 8, seed: int = 0) -> ClassSet:
    generator = np.random.default_rng(seed)
    return ClassSet(
        ids=tuple(f"class-{i}" for i in range(count)),
        labels=tuple(f"Class {i}" for i in range(count)),
        seen=np.arange(count) % 2 == 0,
        z=unit_rows(generator.random((count, attributes)).astype(np.float32) + 0.01),
    )


def photo(attributes: int = 8, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).normal(size=attributes).astype(np.float32)


def ranked(
    v: FloatArray, classes: ClassSet, gamma: float = 0.2, top_k: int = 100, candidates: Candidates = "all"
) -> Ranking:
    return rank(v, classes, gamma=gamma, temperature=0.3, threshold=0.5, top_k=top_k, candidates=candidates)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(2, 30),
    gamma=st.floats(0, 2),
    candidates=st.sampled_from(["all", "seen", "unseen"]),
)
def test_order_probabilities_and_contributions(seed: int, count: int, gamma: float, candidates: Candidates) -> None:
    classes, v = class_set(count, seed=seed), photo(seed=seed + 1)
    predictions = ranked(v, classes, gamma=gamma, candidates=candidates).predictions
    assert {prediction.seen for prediction in predictions} <= {
        "all": {True, False},
        "seen": {True},
        "unseen": {False},
    }[candidates]
    calibrated = [prediction.calibrated_score for prediction in predictions]
    assert calibrated == sorted(calibrated, reverse=True)
    assert sum(prediction.probability for prediction in predictions) == pytest.approx(1)
    for prediction in predictions:
        row = classes.row(prediction.class_id)
        assert row is not None
        assert contributions(v, classes.z[row]).sum() == prediction.score
        penalty = gamma if prediction.seen and candidates == "all" else 0
        assert prediction.calibrated_score == pytest.approx(prediction.score - penalty, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), top_k=st.integers(1, 25))
def test_top_k_is_the_head_of_the_whole_ranking(seed: int, top_k: int) -> None:
    classes, v = class_set(20, seed=seed), photo(seed=seed)
    whole, head = ranked(v, classes), ranked(v, classes, top_k=top_k)
    assert head.predictions == whole.predictions[:top_k]
    assert head.decision == whole.decision


def test_gamma_makes_way_for_unseen_classes() -> None:
    z = unit_rows(np.array([[1, 0.1], [1, 0.2]], dtype=np.float32))
    classes = ClassSet(ids=("old", "new"), labels=("Old", "New"), seen=np.array([True, False]), z=z)
    v = np.array([1, 0], dtype=np.float32)
    assert ranked(v, classes, gamma=0.0).predictions[0].class_id == "old"
    assert ranked(v, classes, gamma=0.1).predictions[0].class_id == "new"


def test_equal_scores_keep_the_order_of_the_classes() -> None:
    z = np.repeat(unit_rows(np.ones((1, 3), dtype=np.float32)), 5, axis=0)
    classes = ClassSet(ids=tuple("abcde"), labels=tuple("ABCDE"), seen=np.zeros(5, dtype=bool), z=z)
    found = ranked(np.ones(3, dtype=np.float32), classes, top_k=3).predictions
    assert [prediction.class_id for prediction in found] == ["a", "b", "c"]


def test_decision_compares_the_best_cosine_of_any_candidate() -> None:
    z = np.eye(2, dtype=np.float32)
    classes = ClassSet(ids=("x", "y"), labels=("X", "Y"), seen=np.array([True, True]), z=z)
    decision = ranked(np.array([3, 4], dtype=np.float32), classes).decision
    assert decision.accepted
    assert decision.score == pytest.approx(0.8)
    assert "fit Y" in decision.reason
    far = rank(-np.ones(2, dtype=np.float32), classes, gamma=0, temperature=1, threshold=0.5).decision
    assert not far.accepted
    assert far.reason.startswith("None of these: even the closest class")


def test_a_photo_without_any_attribute_is_refused_not_divided_by_zero() -> None:
    decision = ranked(np.zeros(8, dtype=np.float32), class_set()).decision
    assert (decision.accepted, decision.score) == (False, 0.0)


def test_questions_without_an_answer() -> None:
    seen_only = ClassSet(ids=("a",), labels=("A",), seen=np.array([True]), z=np.eye(1, 8, dtype=np.float32))
    with pytest.raises(RankingError, match="no unseen class; register one first"):
        ranked(photo(), seen_only, candidates="unseen")
    with pytest.raises(RankingError, match="allowed are all, seen, unseen"):
        ranked(photo(), seen_only, candidates="some")  # type: ignore[arg-type]
    with pytest.raises(RankingError, match="top_k 0; at least 1"):
        ranked(photo(), seen_only, top_k=0)
    with pytest.raises(RankingError, match="8 finite numbers"):
        ranked(photo(attributes=7), seen_only)
    with pytest.raises(RankingError, match="8 finite numbers"):
        ranked(np.full(8, np.nan, dtype=np.float32), seen_only)


def test_a_class_set_cannot_be_changed_and_refuses_bad_parts() -> None:
    classes = class_set()
    with pytest.raises(ValueError, match="read-only"):
        classes.z[0, 0] = 1
    one = np.eye(1, 3, dtype=np.float32)
    with pytest.raises(ValueError, match="ids repeat"):
        ClassSet(ids=("a", "a"), labels=("A", "B"), seen=np.array([True, True]), z=np.eye(2, dtype=np.float32))
    with pytest.raises(ValueError, match="unit norm"):
        ClassSet(ids=("a",), labels=("A",), seen=np.array([True]), z=one * 2)
    with pytest.raises(ValueError, match="unit norm"):
        ClassSet(ids=("a",), labels=("A",), seen=np.array([True]), z=one * np.nan)
    with pytest.raises(ValueError, match="expected C"):
        ClassSet(ids=("a",), labels=(), seen=np.array([True]), z=one)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5))
def test_blocks_answer_as_one_class_set_of_the_classes_shown(seed: int, sizes: list[int]) -> None:
    generator = np.random.default_rng(seed)
    whole = class_set(sum(sizes), seed=seed)
    views, kept, start = [], [], 0
    for size in sizes:
        rows = np.arange(start, start + size)
        live = generator.random(size) < 0.7
        live[0] |= start == 0  # at least one class
        kept += rows[live].tolist()
        block = ClassBlock(
            ids=tuple(whole.ids[i] for i in rows),
            labels=tuple(whole.labels[i] for i in rows),
            seen=whole.seen[rows],
            z=whole.z[rows],
        )
        views.append(BlockView(block, None if live.all() else live))
        start += size
    blocks = ClassSet.of(views)
    ids, labels = (tuple(names[i] for i in kept) for names in (whole.ids, whole.labels))
    plain = ClassSet(ids=ids, labels=labels, seen=whole.seen[kept], z=whole.z[kept])
    v = photo(seed=seed)
    assert len(blocks) == len(plain)
    assert (blocks.ids, blocks.labels, blocks.seen.tolist()) == (plain.ids, plain.labels, plain.seen.tolist())
    assert blocks.z.tolist() == plain.z.tolist()
    assert blocks.scores(v) == pytest.approx(plain.scores(v), abs=1e-6)
    for row, class_id in enumerate(plain.ids):
        assert (blocks.row(class_id), blocks.class_id(row), blocks.label(row)) == (row, class_id, plain.labels[row])
        assert blocks.vector(row).tolist() == plain.z[row].tolist()
    for hidden in set(whole.ids) - set(plain.ids):
        assert blocks.row(hidden) is None
    with pytest.raises(IndexError):
        blocks.class_id(len(plain))
    assert [p.class_id for p in ranked(v, blocks).predictions] == [p.class_id for p in ranked(v, plain).predictions]
