"""The validation and test splits of a benchmark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.attributes import AttributeSchema
from duet_core.benchmarks import Benchmark, BenchmarkError, load_xlsa17
from duet_core.classes import ClassTable
from tests.duet_core.benchmarks import tiny_xlsa17


def _benchmark(photos_per_class: list[int]) -> Benchmark:
    """Classes 0…n-1 with so many photos; the last two classes are val and unseen, the others train."""
    classes = len(photos_per_class)
    labels = np.repeat(np.arange(classes), photos_per_class)
    rows = np.arange(len(labels))
    train, val = rows[labels < classes - 2], rows[labels == classes - 2]
    return Benchmark(
        name="made",
        schema=AttributeSchema.from_pairs([("size", "large")]),
        classes=ClassTable(
            names=tuple(f"class {row}" for row in range(classes)),
            raw=np.ones((classes, 1), dtype=np.float32),
            seen=np.arange(classes) < classes - 1,
        ),
        image_paths=tuple(Path(f"{row}.jpg") for row in rows),
        labels=labels,
        trainval=np.concatenate([train, val]),
        test_seen=rows[:0],
        test_unseen=rows[labels == classes - 1],
        train=train,
        val=val,
    )


@settings(max_examples=50, deadline=None)
@given(
    photos=st.lists(st.integers(2, 40), min_size=3, max_size=8),
    holdout=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_validation_split_is_stratified_and_disjoint(photos: list[int], holdout: float, seed: int) -> None:
    benchmark = _benchmark(photos)
    split = benchmark.validation_split(holdout, seed)
    assert sorted([*split.train, *split.seen_eval]) == sorted(benchmark.train)
    assert split.unseen_eval.tolist() == benchmark.val.tolist()
    assert split.seen_classes.tolist() == list(range(len(photos) - 2))
    assert split.unseen_classes.tolist() == [len(photos) - 2]
    for label in split.seen_classes:
        held = int((benchmark.labels[split.seen_eval] == label).sum())
        assert 1 <= held < photos[label]
        assert abs(held - holdout * photos[label]) <= 1


def test_validation_split_repeats_with_its_seed_only() -> None:
    benchmark = _benchmark([30, 30, 30, 5, 5])
    assert benchmark.validation_split(seed=1).train.tolist() == benchmark.validation_split(seed=1).train.tolist()
    assert benchmark.validation_split(seed=1).train.tolist() != benchmark.validation_split(seed=2).train.tolist()


def test_test_split_is_the_official_one(tmp_path: Path) -> None:
    benchmark = load_xlsa17(tiny_xlsa17.write(tmp_path))
    split = benchmark.test_split()
    assert split.name == "test"
    assert split.train.tolist() == sorted(benchmark.trainval)
    assert split.seen_eval.tolist() == sorted(benchmark.test_seen)
    assert split.unseen_eval.tolist() == sorted(benchmark.test_unseen)
    assert split.seen_classes.tolist() == list(tiny_xlsa17.SEEN)
    assert split.unseen_classes.tolist() == list(tiny_xlsa17.UNSEEN)


@pytest.mark.parametrize("holdout", [0.0, 1.0, -0.1, float("nan")])
def test_holdout_out_of_range_is_refused(holdout: float) -> None:
    with pytest.raises(ValueError, match="allowed is more than 0 and less than 1"):
        _benchmark([4, 4, 4]).validation_split(holdout)


def test_class_with_one_photo_is_refused() -> None:
    benchmark = _benchmark([4, 4, 4, 4])
    alone = replace(benchmark, train=benchmark.train[3:])
    with pytest.raises(BenchmarkError, match="class 'class 0' has 1 photo in train"):
        alone.validation_split()
