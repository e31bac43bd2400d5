"""Eqs. 27 and 28 against explicit loops, and the paper's counts on SUN's real metadata."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from duet_core.attributes import AttributeSchema
from duet_core.benchmarks.class_table import read_class_table
from duet_core.classes import BoolArray
from duet_core.statistics import (
    AttributeStatistics,
    StatisticsError,
    co_occurrence_ratio,
    frequency,
    together,
)

SCHEMA = AttributeSchema.from_pairs(
    [("color", "red"), ("color", "blue"), ("size", "small"), ("size", "large"), ("part", "horns")]
)
PRESENT = np.array(
    [  # red, blue, small, large, horns
        [1, 0, 1, 0, 0],
        [1, 0, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [0, 1, 1, 0, 0],
    ],
    dtype=np.bool_,
)


def random_present(seed: int) -> BoolArray:
    generator = np.random.default_rng(seed)
    classes, attributes = generator.integers(1, 9), generator.integers(1, 8)
    return np.asarray(generator.random((classes, attributes)) < generator.random())


@pytest.mark.parametrize("seed", range(20))
def test_frequency_is_the_share_of_classes(seed: int) -> None:
    present = random_present(seed)
    for attribute, value in enumerate(frequency(present)):
        count = 0
        for row in present:
            if row[attribute]:
                count += 1
        assert value == pytest.approx(count / len(present))


@pytest.mark.parametrize("seed", range(20))
def test_ratio_is_classes_with_both_over_classes_with_the_second_alone(seed: int) -> None:
    present = random_present(seed)
    ratio, both = co_occurrence_ratio(present), together(present)
    for i in range(present.shape[1]):
        for j in range(present.shape[1]):
            with_both, alone = 0, 0
            for row in present:
                if row[i] and row[j]:
                    with_both += 1
                if not row[i] and row[j]:
                    alone += 1
            assert both[i, j] == with_both
            if i == j or with_both + alone == 0:
                assert math.isnan(ratio[i, j])
            elif alone == 0:
                assert ratio[i, j] == math.inf
            else:
                assert ratio[i, j] == pytest.approx(with_both / alone)


def test_a_pair_is_told_with_its_counts_and_lift() -> None:
    pair = AttributeStatistics(PRESENT, SCHEMA).pair("small", "color: red")
    assert (pair.first, pair.given, pair.together, pair.alone) == ("size: small", "color: red", 2, 1)
    assert pair.ratio == 2.0
    assert pair.lift == pytest.approx((2 / 3) / (3 / 4))
    always = AttributeStatistics(PRESENT, SCHEMA).pair("blue", "large")
    assert (always.ratio, always.ratio_text, always.to_json()["ratio"]) == (math.inf, "∞", None)


def test_pairs_are_ranked_by_ratio_and_those_that_never_meet_come_once() -> None:
    statistics = AttributeStatistics(PRESENT, SCHEMA)
    highest = statistics.highest_pairs(99, least=1)
    assert [pair.ratio for pair in highest] == sorted((pair.ratio for pair in highest), reverse=True)
    assert {(pair.first, pair.given) for pair in highest[:2]} == {
        ("color: red", "size: large"),
        ("color: blue", "size: large"),
    }
    lowest = statistics.lowest_pairs(99, least=1)
    assert [(pair.first, pair.given) for pair in lowest if pair.together == 0] == [("size: large", "size: small")]
    assert len(highest) == 4 * 3  # horns, which no class has, is in no pair
    assert len(lowest) == 4 * 3 - 1
    assert statistics.highest_pairs(99, least=3) == [
        statistics.pair("red", "small"),
        statistics.pair("small", "red"),
    ]


def test_the_closest_pairs_have_the_highest_lift_and_each_comes_once() -> None:
    closest = AttributeStatistics(PRESENT, SCHEMA).closest_pairs(99, least=1)
    assert len({frozenset((pair.first, pair.given)) for pair in closest}) == len(closest) == 6
    lifts = [pair.lift for pair in closest]
    assert lifts == sorted(lifts, reverse=True)
    assert (closest[0].first, closest[0].given, closest[0].lift) == ("color: blue", "size: large", 2.0)


def test_prompt_sets_tell_the_commonest_and_the_rarest() -> None:
    color, size, part = AttributeStatistics(PRESENT, SCHEMA).prompts()
    assert (color.prompt, color.attributes, color.commonest, color.rarest) == ("color", 2, "red", "blue")
    assert (color.mean_present, color.classes_without) == (1.25, 0.0)
    assert (size.commonest_frequency, size.rarest_frequency) == (0.75, 0.25)
    assert (part.mean_present, part.classes_without) == (0.0, 1.0)


def test_the_extremes_come_most_extreme_first() -> None:
    most, least = AttributeStatistics(PRESENT, SCHEMA).extremes(2)
    assert [SCHEMA.keys[row] for row in most] == ["color: red", "size: small"]
    assert [SCHEMA.keys[row] for row in least] == ["part: horns", "size: large"]


@pytest.mark.parametrize(
    ("first", "given", "message"),
    [
        ("red", "red", "both are the same"),
        ("red", "horns", "no class has the second"),
        ("green", "red", "got 'green': no attribute is called so; allowed are keys such as"),
    ],
)
def test_a_pair_that_says_nothing_is_refused(first: str, given: str, message: str) -> None:
    with pytest.raises(StatisticsError, match=message):
        AttributeStatistics(PRESENT, SCHEMA).pair(first, given)


def test_a_name_of_several_prompt_sets_needs_its_prompt() -> None:
    schema = AttributeSchema.from_pairs([("wing", "red"), ("tail", "red")])
    statistics = AttributeStatistics(np.ones((2, 2), dtype=np.bool_), schema)
    with pytest.raises(StatisticsError, match="2 attributes have this name; allowed are keys such as 'wing: red'"):
        statistics.pair("red", "tail: red")
    assert statistics.row("tail: red") == 1


@pytest.mark.parametrize("present", [np.ones((2, 3)), np.zeros((0, 3), dtype=np.bool_), np.ones(3, dtype=np.bool_)])
def test_only_true_and_false_of_some_classes_are_taken(present: BoolArray) -> None:
    with pytest.raises(StatisticsError, match="True and False"):
        frequency(present)
    with pytest.raises(StatisticsError, match="columns are needed"):
        AttributeStatistics(PRESENT[:, :3], SCHEMA)


@pytest.mark.data
def test_sun_gives_the_papers_counts(shared_data: Path) -> None:
    schema, classes = read_class_table(shared_data / "xlsa17" / "SUN")
    statistics = AttributeStatistics(classes.present, schema)
    count = {name: int(statistics.counts[statistics.row(name)]) for name in ("trees", "clouds", "fire")}
    assert count == {"trees": 301, "clouds": 318, "fire": 10}
    leaves = statistics.pair("leaves", "flowers")
    assert (leaves.together, leaves.alone, leaves.ratio) == (39, 10, 3.9)
    trees = statistics.pair("trees", "grass")
    assert (trees.together, trees.alone) == (239, 38)
    assert round(100 * statistics.frequency[statistics.row("flowers")], 2) == 6.83
    assert statistics.pair("cloth", "paper").ratio > 1  # "often appear together", says A.6
    assert statistics.pair("clouds", "sand").ratio > 1


@pytest.mark.data
@pytest.mark.parametrize(("name", "shape", "seen"), [("CUB", (200, 312), 0), ("AWA2", (50, 85), 40)])
def test_class_tables_need_no_photo(shared_data: Path, name: str, shape: tuple[int, int], seen: int) -> None:
    schema, classes = read_class_table(shared_data / "xlsa17" / name)
    assert classes.present.shape == shape == (len(classes.names), len(schema))
    assert classes.seen.sum() == seen  # the folder of CUB here has no trainvalclasses.txt
