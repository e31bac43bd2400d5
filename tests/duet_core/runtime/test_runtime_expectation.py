"""A description becomes what it leads one to expect, as distinct from the prior as the seen classes are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from duet_core.runtime.expectation import BLEND, KEEP, MOST, NOISE, SAID, Expectation
from tests.tiny_bundle import SCHEMA

Doubles = NDArray[np.float64]
BLUE_WING, RED_CROWN, BLUE_CROWN, SMALL = 1, 3, 4, 6


def table_of(classes: int, spread: float, seed: int = 0, level: float = 0.5) -> NDArray[np.float32]:
    """(classes, A) degrees around `level`."""
    noise = np.random.default_rng(seed).normal(0, spread, (classes, len(SCHEMA)))
    return np.clip(level + noise, 0.0, 1.0).astype(np.float32)


def cosine(a: Doubles, b: Doubles) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def prior_of(table: NDArray[np.float32]) -> Doubles:
    return np.asarray(table.mean(axis=0, dtype=np.float64))


def ridge(table: NDArray[np.float32], row: int) -> Doubles:
    """What one attribute said leads one to expect, by the textbook formula over attributes (A x A)."""
    mean = prior_of(table)
    covariance = (table - mean).T @ (table - mean) / len(table)
    spoken = np.flatnonzero(np.asarray(SCHEMA.prompt_index) == SCHEMA.prompt_index[row])
    words = KEEP * mean[spoken]
    words[spoken == row] = SAID
    gain = covariance[:, spoken] @ np.linalg.inv(covariance[np.ix_(spoken, spoken)] + NOISE * np.eye(len(spoken)))
    expected: Doubles = mean + gain @ (words - mean[spoken])
    expected[spoken] = (1 - BLEND) * words + BLEND * expected[spoken]
    expected[row] = max(expected[row], mean[row])
    return expected


def test_a_description_is_ridge_regression_over_the_attributes_made_to_stand_out() -> None:
    table = table_of(7, 0.1)
    expectation = Expectation(table, SCHEMA)
    wanted = expectation.stand_out(ridge(table, BLUE_WING))
    np.testing.assert_allclose(expectation.complete({BLUE_WING: 1.0}), wanted, atol=1e-6)


def test_what_goes_together_in_seen_classes_is_expected_together() -> None:
    table = np.zeros((4, len(SCHEMA)), dtype=np.float32)
    table[:2, [BLUE_WING, BLUE_CROWN]] = 1
    table[2:, [0, RED_CROWN]] = 1
    degrees = Expectation(table, SCHEMA).complete({BLUE_WING: 1.0})
    assert degrees[BLUE_CROWN] > degrees[RED_CROWN]


def test_the_typical_cosine_is_that_of_the_seen_classes() -> None:
    table = table_of(9, 0.2)
    mean = prior_of(table)
    wanted = np.mean([cosine(row.astype(np.float64), mean) for row in table])
    assert Expectation(table, SCHEMA).typical_cosine == pytest.approx(wanted)


@given(st.tuples(*[st.integers(0, 2)] * 4), st.integers(0, 99))
def test_descriptions_are_as_far_from_the_prior_as_seen_classes(said: tuple[int, ...], seed: int) -> None:
    """One attribute of each prompt set is said; without amplification the cosine is nearer 1."""
    table = table_of(12, 0.25, seed, level=0.2)
    expectation = Expectation(table, SCHEMA)
    found = {SCHEMA.prompt_sets[prompt][position]: 1.0 for prompt, position in enumerate(said)}
    got = expectation.complete(found).astype(np.float64)
    assert cosine(got, prior_of(table)) == pytest.approx(expectation.typical_cosine, abs=1e-5)
    assert got.min() >= 0
    assert got.max() <= 1


def test_only_the_distance_changes_not_the_direction_of_the_deviation() -> None:
    table = table_of(12, 0.1)
    expectation, mean = Expectation(table, SCHEMA), prior_of(table)
    plain = ridge(table, BLUE_WING)
    axis = mean / np.linalg.norm(mean)
    deviation = plain - (plain @ axis) * axis
    c = expectation.typical_cosine
    wanted = c * axis + np.sqrt(1 - c**2) * deviation / np.linalg.norm(deviation)
    got = expectation.stand_out(plain)
    assert 0 < got.min() < got.max() < 1  # nothing clipped
    np.testing.assert_allclose(got / np.linalg.norm(got), wanted, atol=1e-9)


def test_a_described_class_wins_its_own_photo_against_a_seen_class_much_like_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Blue wings and a blue crown, where a seen class has blue wings and a crown that is part blue, part red."""
    pairs = [(wing, crown) for wing in range(3) for crown in range(3, 6) if (wing, crown) != (BLUE_WING, BLUE_CROWN)]
    table = np.full((len(pairs) + 1, len(SCHEMA)), 0.1, dtype=np.float32)
    for row, pair in enumerate(pairs):
        table[row, list(pair)] = 0.8
    table[-1, [BLUE_WING, BLUE_CROWN, RED_CROWN]] = 0.8, 0.5, 0.3
    photo = np.full(len(SCHEMA), 0.1)
    photo[[BLUE_WING, BLUE_CROWN]] = 0.8
    rival = max(cosine(row.astype(np.float64), photo) for row in table)

    def described() -> float:
        degrees = Expectation(table, SCHEMA).complete({BLUE_WING: 1.0, BLUE_CROWN: 1.0})
        return cosine(degrees.astype(np.float64), photo)

    assert described() > rival
    monkeypatch.setattr(Expectation, "stand_out", lambda _, degrees: degrees)
    assert described() < rival


def test_degrees_distinct_enough_are_left_alone() -> None:
    table = table_of(12, 0.02)
    degrees = np.linspace(0, 1, len(SCHEMA))
    np.testing.assert_allclose(Expectation(table, SCHEMA).stand_out(degrees), degrees, atol=1e-12)


def test_next_to_nothing_said_stays_near_the_prior() -> None:
    table = table_of(12, 0.2)
    expectation, mean = Expectation(table, SCHEMA), prior_of(table)
    whisper = mean.copy()
    whisper[SMALL] += 0.01
    got = expectation.stand_out(whisper)
    assert got[SMALL] - mean[SMALL] == pytest.approx(0.01 * MOST)
    np.testing.assert_allclose(np.delete(got, SMALL), np.delete(mean, SMALL), atol=1e-12)
    np.testing.assert_allclose(expectation.stand_out(mean), mean, atol=1e-12)


def test_what_was_denied_is_0_and_what_was_said_is_never_below_the_prior() -> None:
    table = table_of(12, 0.1)
    table[:, SMALL] = 0.95  # more than SAID: words must not lower it
    mean = prior_of(table)
    degrees = Expectation(table, SCHEMA).complete({BLUE_WING: 1.0, RED_CROWN: 0.0, SMALL: 0.3})
    assert degrees[RED_CROWN] == 0
    assert degrees[SMALL] >= mean[SMALL] - 1e-6
    assert degrees[BLUE_WING] > mean[BLUE_WING]


def test_a_single_seen_class_leaves_a_description_usable() -> None:
    degrees = Expectation(table_of(1, 0.1), SCHEMA).complete({BLUE_WING: 1.0})
    assert np.isfinite(degrees).all()
    assert degrees[BLUE_WING] > 0
