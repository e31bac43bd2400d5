"""Probabilities and sets of classes, judged: calibration error, risk-coverage, coverage and size of sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from duet_core.calibration import expected_calibration_error, probabilities
from duet_core.classes import BoolArray, IntArray
from duet_core.judging.curves import area, risk_coverage
from duet_core.judging.tables import table
from duet_core.runtime.calibration import Calibration
from duet_core.runtime.conformal import order_statistic, percentile_bounds, photos_needed

DoubleArray = NDArray[np.float64]

COVERAGES = (0.8, 0.9, 0.95)
_REPEATS = 20


def calibration_error(scores: DoubleArray, label: IntArray, is_seen: BoolArray, calibration: Calibration) -> str:
    """ECE and accuracy on photos of seen and of unseen classes, all classes competing.

    Args:
        scores: (N, C) v·z with γ taken off.
        label: (N,) true columns.
    """
    rows: list[Sequence[str | float]] = []
    for name, part in (("seen", is_seen), ("unseen", ~is_seen)):
        values, right = scores[part], label[part]
        before, after = (probabilities(values, temperature) for temperature in (1.0, calibration.temperature))
        rows.append(
            [
                name,
                len(right),
                float((values.argmax(axis=1) == right).mean()),
                float(after.max(axis=1).mean()),
                expected_calibration_error(before, right),
                expected_calibration_error(after, right),
            ]
        )
    return table(("photos of classes", "number", "right", "mean probability", "ECE before", "ECE after"), rows)


def risk_curves(
    confidences: dict[str, DoubleArray], correct: BoolArray, is_seen: BoolArray
) -> tuple[str, dict[str, tuple[DoubleArray, DoubleArray]]]:
    """Wrong answers among those given when only the surest photos are answered; the table, and the curves."""
    rows: list[Sequence[str | float]] = []
    curves = {}
    for group, part in (("seen", is_seen), ("unseen", ~is_seen)):
        for name, confidence in confidences.items():
            coverage, risk = risk_coverage(confidence[part], correct[part])
            curves[f"{group}, by {name}"] = coverage, risk
            at = [float(risk[np.searchsorted(coverage, share - 1e-9)]) for share in (1.0, 0.9, 0.8, 0.5)]
            rows.append([group, name, *at, area(coverage, risk)])
    head = ("photos of classes", "surest by", "wrong of all", "of 90%", "of 80%", "of 50%", "area")
    return table(head, rows), curves


def nonconformities(temperature: float) -> dict[str, Callable[[DoubleArray], DoubleArray]]:
    """Ways to say how ill a class fits, (N, C) scores to (N, C); a set holds the classes up to a bound."""

    def by_share(scores: DoubleArray, *, own: bool) -> DoubleArray:
        share = probabilities(scores, temperature)
        order = np.argsort(-share, axis=1)
        summed = np.cumsum(np.take_along_axis(share, order, axis=1), axis=1)
        if not own:
            summed -= np.take_along_axis(share, order, axis=1)
        result = np.empty_like(share)
        np.put_along_axis(result, order, summed, axis=1)
        return result

    return {
        "margin": lambda scores: np.asarray(scores.max(axis=1, keepdims=True) - scores),
        "LAC (1 - probability)": lambda scores: 1 - probabilities(scores, temperature),
        "APS": lambda scores: by_share(scores, own=True),
        "APS without its own share": lambda scores: by_share(scores, own=False),
    }


def compare_sets(scores: DoubleArray, label: IntArray, temperature: float) -> str:
    """Coverage and mean size of sets on halves of these photos, each kind calibrated on the other half; 20 halvings."""
    rows: list[Sequence[str | float]] = []
    for name, kind in nonconformities(temperature).items():
        values = kind(scores)
        own = values[np.arange(len(label)), label]
        for wanted in COVERAGES:
            generator, reached = np.random.default_rng(0), []
            for _ in range(_REPEATS):
                order = generator.permutation(len(label))
                first, second = order[: len(order) // 2], order[len(order) // 2 :]
                bound = _bound(own[first], wanted)
                inside = values[second] <= bound
                size = inside.sum(axis=1)
                reached.append([(own[second] <= bound).mean(), size.mean(), (size == 0).mean()])
            rows.append([name, wanted, *np.mean(reached, axis=0).tolist()])
    return table(("sets by", "wanted", "reached", "mean size", "empty"), rows)


def judge_sets(scores: DoubleArray, label: IntArray, is_seen: BoolArray, calibration: Calibration) -> str:
    """Sets by margin for photos of either group: with labelled photos of it, with the others' bound, with the bundle's.

    Half of the photos calibrate, the other half is judged, 20 times.
    """
    behind = scores.max(axis=1, keepdims=True) - scores
    own = behind[np.arange(len(label)), label]
    rows: list[Sequence[str | float]] = []
    for wanted in COVERAGES:
        for name, seen_bound, unseen_bound in _bounds(own, is_seen, wanted, calibration):
            cells: list[float] = []
            for part in (is_seen, ~is_seen):
                reached = [
                    ((own[test] <= (s if is_seen[test[0]] else u)).mean(), _size(behind[test], s, u, is_seen, label))
                    for (test, s, u) in _splits(part, seen_bound, unseen_bound)
                ]
                cells += np.mean(reached, axis=0).tolist()
            rows.append([name, wanted, *cells])
    head = ("bound from", "wanted", "seen: reached", "seen: mean size", "unseen: reached", "unseen: mean size")
    return table(head, rows)


def _bound(values: DoubleArray, wanted: float) -> float:
    bound = order_statistic(values, wanted)
    if bound is None:
        needed = photos_needed(wanted)
        raise ValueError(f"{len(values)} photos to calibrate with; a coverage of {wanted:g} needs at least {needed}")
    return bound


Halving = tuple[IntArray, IntArray]


def _halvings(part: BoolArray) -> list[Halving]:
    """Twenty divisions of the photos of a group into two halves, the same ones whenever asked."""
    generator, rows = np.random.default_rng(0), np.flatnonzero(part)
    orders = [generator.permutation(rows) for _ in range(_REPEATS)]
    return [(order[: len(rows) // 2], order[len(rows) // 2 :]) for order in orders]


def _bounds(
    own: DoubleArray, is_seen: BoolArray, wanted: float, calibration: Calibration
) -> list[tuple[str, list[float], list[float]]]:
    """Ways to bound the margins of seen and of unseen classes, one bound for each halving."""
    halves = {group: _halvings(part) for group, part in (("seen", is_seen), ("unseen", ~is_seen))}

    def of(*groups: str) -> list[float]:
        found = []
        for number in range(_REPEATS):
            rows = np.concatenate([halves[group][number][0] for group in groups])
            found.append(_bound(own[rows], wanted))
        return found

    ways = [
        ("labelled photos, each group its own", of("seen"), of("unseen")),
        ("labelled photos of seen classes only", of("seen"), of("seen")),
    ]
    if calibration.margins_seen is not None and calibration.margins_unseen is not None:
        limits = percentile_bounds(calibration.margins_seen, calibration.margins_unseen, wanted)
        ways.append(("the bundle (validation)", [limits.seen] * _REPEATS, [limits.unseen] * _REPEATS))
    return ways


def _splits(part: BoolArray, seen: list[float], unseen: list[float]) -> list[tuple[IntArray, float, float]]:
    return [(test, s, u) for (_, test), s, u in zip(_halvings(part), seen, unseen, strict=True)]


def _size(behind: DoubleArray, seen: float, unseen: float, is_seen: BoolArray, label: IntArray) -> float:
    """Mean number of classes in the sets; the columns of seen classes come first."""
    count = int(label[is_seen].max()) + 1
    bound = np.where(np.arange(behind.shape[1]) < count, seen, unseen)
    return float((behind <= bound).sum(axis=1).mean())
