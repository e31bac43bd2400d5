"""ESZSL in closed form and the choice of its ridge terms."""

from __future__ import annotations

import numpy as np
import pytest

from duet_core.baselines import Eszsl, select_eszsl
from duet_core.evaluation import Judged, choose_gamma, evaluate

RANDOM = np.random.default_rng(2)
CLASS_VECTORS = np.abs(RANDOM.normal(size=(9, 5)))
CLASS_VECTORS /= np.linalg.norm(CLASS_VECTORS, axis=1, keepdims=True)
LABELS = np.repeat(np.arange(9), 20)
FEATURES = CLASS_VECTORS[LABELS] @ RANDOM.normal(size=(5, 12)) + RANDOM.normal(scale=0.3, size=(180, 12))


def test_fit_is_the_formula_of_the_paper() -> None:
    """V = (XXᵀ + γI)⁻¹ X Y Sᵀ (SSᵀ + λI)⁻¹ with photos and classes in columns, Y of +1 and -1."""
    rows = np.flatnonzero(LABELS < 6)
    x, s = FEATURES[rows].T, CLASS_VECTORS[:6].T
    y = np.where(LABELS[rows][:, None] == np.arange(6), 1.0, -1.0)
    expected = np.linalg.inv(x @ x.T + 10 * np.eye(12)) @ x @ y @ s.T @ np.linalg.inv(s @ s.T + 0.1 * np.eye(5))
    np.testing.assert_allclose(Eszsl(10, 0.1).fit(FEATURES[rows], LABELS[rows], CLASS_VECTORS), expected, rtol=1e-8)


def test_fit_minimises_its_objective() -> None:
    """The gradient of ‖XVSᵀ - Y‖² + γ‖VSᵀ‖² + λ‖XV‖² + γλ‖V‖² is 0 at V."""
    rows = np.flatnonzero(LABELS < 6)
    x, s = FEATURES[rows], CLASS_VECTORS[:6]
    y = np.where(LABELS[rows][:, None] == np.arange(6), 1.0, -1.0)
    ridge, other = 2.0, 0.5
    v = Eszsl(ridge, other).fit(x, LABELS[rows], CLASS_VECTORS)
    gradient = x.T @ (x @ v @ s.T - y) @ s + ridge * v @ s.T @ s + other * x.T @ x @ v + ridge * other * v
    np.testing.assert_allclose(gradient, 0, atol=1e-8)


def test_vectors_of_unseen_classes_play_no_part() -> None:
    rows = np.flatnonzero(LABELS < 6)
    changed = CLASS_VECTORS.copy()
    changed[6:] = 7.0
    first = Eszsl(1, 1).fit(FEATURES[rows], LABELS[rows], CLASS_VECTORS)
    np.testing.assert_array_equal(first, Eszsl(1, 1).fit(FEATURES[rows], LABELS[rows], changed))


def test_choice_has_the_best_h_of_all_ridge_terms() -> None:
    held = np.arange(180) % 4 == 0
    train, seen_eval = np.flatnonzero((LABELS < 6) & ~held), np.flatnonzero((LABELS < 6) & held)
    unseen_eval = np.flatnonzero(LABELS >= 6)
    seen, unseen = np.arange(6), np.arange(6, 9)
    choice = select_eszsl(
        features=FEATURES, labels=LABELS, train=train, seen_eval=seen_eval, unseen_eval=unseen_eval,
        class_vectors=CLASS_VECTORS, seen_classes=seen, unseen_classes=unseen, exponents=(-1, 0, 1),
    )  # fmt: skip
    found = {}
    for first in (-1, 0, 1):
        for second in (-1, 0, 1):
            model = Eszsl(10.0**first, 10.0**second)
            v = FEATURES @ model.fit(FEATURES[train], LABELS[train], CLASS_VECTORS)
            judged: Judged = {
                "v_seen": v[seen_eval],
                "label_seen": LABELS[seen_eval],
                "v_unseen": v[unseen_eval],
                "label_unseen": LABELS[unseen_eval],
                "class_vectors": CLASS_VECTORS,
                "seen_classes": seen,
                "unseen_classes": unseen,
            }
            gamma = choose_gamma(**judged)
            found[model] = evaluate(**judged, gamma=gamma).H
    assert pytest.approx(max(found.values())) == choice.H
    assert found[choice.model] == pytest.approx(choice.H)
    assert choice.H > 0.5


def test_impossible_ridge_terms_are_refused() -> None:
    with pytest.raises(ValueError, match=r"ridge terms: got 0, 1; both are above 0"):
        Eszsl(0, 1)
    nothing = np.empty(0, dtype=np.int64)
    with pytest.raises(ValueError, match="exponents is empty"):
        select_eszsl(
            features=FEATURES, labels=LABELS, train=np.arange(9), seen_eval=nothing, unseen_eval=nothing,
            class_vectors=CLASS_VECTORS, seen_classes=nothing, unseen_classes=nothing, exponents=(),
        )  # fmt: skip
