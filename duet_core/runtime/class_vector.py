"""From what a client says of a class to its class vector z: checks, completion by the prior, unit norm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray
from duet_core.runtime.metric import EUCLIDEAN, Metric


class DegreesError(ValueError):
    """Degrees that cannot describe a class.

    Attributes:
        unknown: keys the schema does not have, each with the nearest valid ones; empty for other mistakes.
    """

    def __init__(self, message: str, unknown: Mapping[str, tuple[str, ...]] | None = None) -> None:
        super().__init__(message)
        self.unknown: dict[str, tuple[str, ...]] = dict(unknown or {})


def degrees_from_mapping(mapping: Mapping[str, float], *, schema: AttributeSchema, prior: FloatArray) -> FloatArray:
    """(A,) degrees from ``{"wing color: blue": 0.9, …}``.

    A prompt set that is mentioned says all there is to say of it: its other attributes get 0, so a client that
    corrects an interpretation gets exactly what it sent. A set that is not mentioned is unknown, not absent: it takes
    the prior, which favours no class. Degrees given are not amplified as those of sentences are
    (`Expectation.stand_out`): they would no longer be what the client sent.

    Args:
        mapping: attribute keys (case and spacing do not matter) to degrees in 0…1, at least one.
        prior: (A,) mean degrees of the seen classes.

    Raises:
        DegreesError: unknown keys (each with the three nearest), a key given twice, values not in 0…1, nothing left.
    """
    if not mapping:
        raise DegreesError(f"no attributes given; give at least one, such as {{{schema.keys[0]!r}: 0.9}}")
    unknown = {key: schema.nearest(key) for key in mapping if schema.find(key) is None}
    if unknown:
        hints = "; ".join(f"{key!r} (nearest: {', '.join(near)})" for key, near in unknown.items())
        raise DegreesError(f"unknown attributes: {hints}", unknown)
    degrees = np.array(prior, dtype=np.float32)
    given: dict[int, str] = {}
    for key in mapping:
        row = schema.find(key)
        assert row is not None
        if row in given:
            raise DegreesError(f"{given[row]!r} and {key!r} are the same attribute; give it once")
        given[row] = key
        degrees[list(schema.prompt_sets[schema.prompt_index[row]])] = 0.0
    for row, key in given.items():
        degrees[row] = _degree(key, mapping[key])
    if not degrees.any():
        raise DegreesError("all degrees are 0; give at least one attribute a degree above 0")
    return degrees


def _degree(key: str, value: object) -> float:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 <= value <= 1:  # type: ignore[arg-type, operator]
        raise DegreesError(f"{key!r}: got {value!r}; a degree is a finite number in 0…1, such as 0.9")
    return float(value)  # type: ignore[arg-type]


def degrees_from_vector(values: Sequence[float], *, schema: AttributeSchema) -> FloatArray:
    """(A,) degrees from one number per attribute in schema order, on any scale (0…1, 0…100): only ratios matter.

    Raises:
        DegreesError: wrong length, a number that is negative or not finite, or all 0.
    """
    if len(values) != len(schema):
        raise DegreesError(
            f"got {len(values)} numbers; {len(schema)} are needed, one for each attribute in the order of the schema"
        )
    for row, value in () if _plain(values) else enumerate(values):
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            raise DegreesError(
                f"number {row} ({schema.keys[row]!r}): got {value!r}; finite numbers of at least 0 are allowed"
            )
    degrees = np.asarray(values, dtype=np.float64)
    if not degrees.any():
        raise DegreesError("all numbers are 0; at least one must be above 0")
    scaled: FloatArray = (degrees / degrees.max()).astype(np.float32)
    return scaled


def _plain(values: Sequence[float]) -> bool:
    """Whether these are numbers without fault, found without looking at each one in Python."""
    if not set(map(type, values)) <= {int, float}:
        return False
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except OverflowError:
        return False
    return bool(np.isfinite(numbers).all() and (numbers >= 0).all())


def class_vector(degrees: FloatArray, metric: Metric = EUCLIDEAN) -> FloatArray:
    """z (A,): degrees (A,) divided by their length. Raises ClassTableError when that is 0."""
    z: FloatArray = metric.unit(np.asarray(degrees, dtype=np.float32)[None])[0]
    return z
