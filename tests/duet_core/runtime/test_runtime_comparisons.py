"""Sizes by comparison and by measure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duet_core.runtime.comparisons import INCHES, SIZES, Comparisons, size_of

ANIMALS = {"sparrow": 1, "robin": 2, "crow": 3, "eagle": 4, "hummingbird": 0}
READ = Comparisons(ANIMALS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("larger than a crow, black", "very large, black"),
        ("Bigger than an eagle", "very large"),
        ("smaller than the hummingbird", "very small"),
        ("smaller than crows", "medium"),
        ("slightly larger than a robin", "medium"),
        ("about the size of a sparrow", "small"),
        ("as big as a crow", "large"),
        ("a crow-sized bird", "a large bird"),
        ("a sparrow-like bird", "a sparrow-like bird"),
        ("6 to 7 inches long, red", "small, red"),
        ("about 60 cm", "about large"),
        ("a wingspan of 30 inches", "a wingspan of 30 inches"),
        ("a 2 inch bill", "a very small bill"),
    ],
)
def test_comparisons_become_sizes(text: str, expected: str) -> None:
    assert READ.replaced(text) == expected


@given(st.sampled_from(sorted(ANIMALS)))
def test_smaller_than_is_never_larger_than(animal: str) -> None:
    smaller, same, larger = (
        SIZES.index(READ.replaced(text))
        for text in (f"smaller than a {animal}", f"the size of a {animal}", f"larger than a {animal}")
    )
    assert smaller <= same <= larger
    assert larger - smaller >= 1


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=2).map(sorted))
def test_longer_is_never_a_smaller_size(lengths: list[float]) -> None:
    assert SIZES.index(size_of(lengths[:1])) <= SIZES.index(size_of(lengths)) <= SIZES.index(size_of(lengths[1:]))


def test_sizes_end_where_the_annotators_were_told() -> None:
    assert [size_of([bound]) for bound in INCHES] == list(SIZES[:-1])
    assert size_of([INCHES[-1] + 0.1]) == SIZES[-1]
