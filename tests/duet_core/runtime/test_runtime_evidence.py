"""Evidence: what it is made of, that it needs no second class, and that one photo and many agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.calibration import centred_cosine, max_cosine
from duet_core.classes import unit_rows
from duet_core.runtime.class_set import BlockView
from duet_core.runtime.evidence import Evidence, EvidenceKind
from duet_core.runtime.scoring import ClassSet, rank


def classes(count: int, attributes: int = 8, seed: int = 0) -> ClassSet:
    generator = np.random.default_rng(seed)
    return ClassSet(
        ids=tuple(f"class-{i}" for i in range(count)),
        labels=tuple(f"Class {i}" for i in range(count)),
        seen=np.arange(count) % 2 == 0,
        z=unit_rows(generator.random((count, attributes)).astype(np.float32) + 0.5),
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 500), count=st.integers(3, 12))
def test_the_decision_uses_what_the_threshold_was_fitted_on(seed: int, count: int) -> None:
    class_set, v = classes(count, seed=seed), np.random.default_rng(seed).normal(size=8).astype(np.float32)
    seen_z = class_set.z[class_set.seen]
    expected = {
        "max_cosine": max_cosine(v[None], class_set.z)[0],
        "centred_cosine": centred_cosine(v[None], class_set.z, seen_z)[0],
    }
    kinds: tuple[EvidenceKind, ...] = ("max_cosine", "centred_cosine")
    for kind in kinds:
        evidence = Evidence.of(kind, seen_z)
        decision = rank(v, class_set, gamma=0.3, temperature=0.5, threshold=0.2, evidence=evidence).decision
        assert decision.score == pytest.approx(expected[kind], abs=2e-4)
        assert decision.accepted == (decision.score >= 0.2)
        assert -1 <= decision.score <= 1


def test_a_single_class_is_enough() -> None:
    """Its probability is 1 for every photo; the evidence still tells a photo of it from another."""
    all_classes = classes(6)
    one = ClassSet(ids=("a",), labels=("A",), seen=np.array([False]), z=all_classes.z[:1])
    evidence = Evidence.of("centred_cosine", all_classes.z)
    like, unlike = (
        rank(v, one, gamma=0.0, temperature=1.0, threshold=0.5, evidence=evidence)
        for v in (5 * all_classes.z[0], 5 * all_classes.z[3])
    )
    assert like.predictions[0].probability == unlike.predictions[0].probability == 1
    assert (like.decision.accepted, unlike.decision.accepted) == (True, False)


def test_the_mean_class_itself_is_no_evidence() -> None:
    """A photo, or a class, of which nothing is left beside the mean has no direction."""
    class_set = classes(4)
    evidence = Evidence.of("centred_cosine", class_set.z)
    along = class_set.along(evidence.mean)
    for v in (3 * evidence.mean, np.zeros(8, dtype=np.float32)):
        assert evidence.values(v, (class_set.z @ v).astype(np.float64), along).tolist() == [0] * 4


def test_what_is_kept_of_a_class_set_belongs_to_its_direction() -> None:
    class_set = classes(3)
    first, second = np.ones(8, dtype=np.float32), np.arange(8, dtype=np.float32)
    for direction in (first, second, first):
        np.testing.assert_allclose(class_set.along(direction), class_set.z @ direction, rtol=1e-6)
    (view,) = class_set.views
    assert view.block.along(first) is view.block.along(first)
    shown = ClassSet.of([view, BlockView(classes(3).views[0].block, np.array([False, True, False]))])
    np.testing.assert_allclose(shown.along(first), shown.z @ first, rtol=1e-6)
