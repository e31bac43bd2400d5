"""Degrees from clients, class vectors, calibration.json and grounding: what is wrong is explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from duet_core.classes import ClassTableError
from duet_core.runtime.calibration import Calibration, CalibrationError
from duet_core.runtime.class_vector import DegreesError, class_vector, degrees_from_mapping, degrees_from_vector
from duet_core.runtime.grounding import ground
from tests.tiny_bundle import CALIBRATION, SCHEMA

PRIOR = np.full(len(SCHEMA), 0.25, dtype=np.float32)


def test_a_mapping_says_all_of_the_sets_it_mentions_and_nothing_of_others() -> None:
    degrees = degrees_from_mapping({"Wing Color:  blue": 0.9, "size: small": 1}, schema=SCHEMA, prior=PRIOR)
    assert degrees.tolist() == pytest.approx([0, 0.9, 0, *[0.25] * 3, 1, 0, 0, *[0.25] * 3])
    assert PRIOR.tolist() == [0.25] * 12


def test_unknown_attributes_come_with_the_nearest_valid_ones() -> None:
    with pytest.raises(DegreesError) as caught:
        degrees_from_mapping({"wing colour: blue": 1, "size: smal": 1, "size: large": 1}, schema=SCHEMA, prior=PRIOR)
    assert set(caught.value.unknown) == {"wing colour: blue", "size: smal"}
    assert caught.value.unknown["wing colour: blue"][0] == "wing color: blue"
    assert all(len(near) == 3 for near in caught.value.unknown.values())
    assert "'size: smal' (nearest: size: small," in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.5, "high", True, None])
def test_a_degree_is_a_number_from_0_to_1(value: Any) -> None:
    with pytest.raises(DegreesError, match=r"'size: small': got .*finite number in 0…1"):
        degrees_from_mapping({"size: small": value}, schema=SCHEMA, prior=PRIOR)


def test_mappings_that_say_nothing_are_refused() -> None:
    with pytest.raises(DegreesError, match="no attributes given"):
        degrees_from_mapping({}, schema=SCHEMA, prior=PRIOR)
    with pytest.raises(DegreesError, match="all degrees are 0"):
        degrees_from_mapping({"size: small": 0}, schema=SCHEMA, prior=np.zeros_like(PRIOR))
    with pytest.raises(DegreesError, match="the same attribute"):
        degrees_from_mapping({"size: small": 1, "Size: Small": 0}, schema=SCHEMA, prior=PRIOR)


def test_a_vector_may_have_any_scale() -> None:
    values = [0, 10, 50, 100, *[0] * 8]
    large = class_vector(degrees_from_vector(values, schema=SCHEMA))
    small = class_vector(degrees_from_vector([value / 100 for value in values], schema=SCHEMA))
    np.testing.assert_allclose(large, small, atol=1e-6)
    assert np.linalg.norm(large) == pytest.approx(1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0] * 11, "got 11 numbers; 12 are needed"),
        ([0.0] * 12, "all numbers are 0"),
        ([1.0] * 11 + [float("nan")], r"number 11 \('wing pattern: striped'\): got nan"),
        ([-1.0] + [1.0] * 11, r"number 0 \('wing color: red'\): got -1.0"),
        (["1"] * 12, "number 0"),
    ],
)
def test_wrong_vectors_are_explained(values: Any, message: str) -> None:
    with pytest.raises(DegreesError, match=message):
        degrees_from_vector(values, schema=SCHEMA)


def test_a_class_vector_needs_a_direction() -> None:
    with pytest.raises(ClassTableError):
        class_vector(np.zeros(12, dtype=np.float32))


def test_calibration_survives_json() -> None:
    calibration = Calibration.from_json(CALIBRATION)
    assert calibration.to_json() == CALIBRATION
    assert Calibration.from_json(calibration.to_json()) == calibration


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0}, "temperature 0"),
        ({"temperature": -1}, "temperature -1"),
        ({"threshold": 1.5}, r"threshold 1.5; allowed is a finite number in -1…1"),
        ({"gamma": float("nan")}, "gamma nan"),
        ({"gamma": "0.1"}, "gamma '0.1'; a number is needed"),
        ({"score_space": "probabilities"}, "knows only 'logits'"),
        ({"evidence": "energy"}, "knows only 'max_cosine'"),
        ({"extra": 1}, r"unknown entries \['extra'\]"),
    ],
)
def test_a_wrong_calibration_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        Calibration.from_json(CALIBRATION | change)


def test_grounding_keeps_the_best_three_and_divides_by_their_sum() -> None:
    scores = np.array([0.1, 0.3, 0.6] * 4, dtype=np.float32)
    for entry, prompt in zip(ground(scores, SCHEMA, best=2), SCHEMA.prompts, strict=True):
        assert entry.prompt == prompt
        assert [found.score for found in entry.attributes] == pytest.approx([2 / 3, 1 / 3])
        assert entry.attributes[0].key == f"{prompt}: {entry.attributes[0].name}"
    assert [len(entry.attributes) for entry in ground(scores, SCHEMA)] == [3, 3, 3, 3]


@pytest.mark.parametrize("scores", [[1.0] * 11, [-1.0] * 12, [float("nan")] * 12, [0.0] * 12])
def test_impossible_grounding_scores_are_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="score"):
        ground(np.array(scores, dtype=np.float32), SCHEMA)
