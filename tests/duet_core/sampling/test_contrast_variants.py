"""The variants of A.7: distances by explicit loops, draws by their frequencies, and the paper's own unchanged."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from duet_core.sampling import ContrastSampler
from duet_core.sampling.contrast import ClassWeighting, Distance
from tests.duet_core.sampling.test_contrast import (
    SCHEMA,
    assert_admissible,
    assert_follows,
    every_anchor,
    is_negative,
    tiny,
    world,
)


def sampler_of(parts: tuple[Tensor, Tensor, list[Tensor]], **switches: Any) -> ContrastSampler:
    present, degree, images = parts
    return ContrastSampler(schema=SCHEMA, present=present, degree=degree, images_of_class=images, **switches)


def distance_by_loop(kind: Distance, a: list[float], b: list[float]) -> float:
    if kind == "cosine":
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return 1 - dot / (math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b)))
    gaps = [abs(x - y) for x, y in zip(a, b, strict=True)]
    return sum(gaps) if kind == "manhattan" else math.sqrt(sum(gap * gap for gap in gaps))


@pytest.mark.parametrize("kind", ["manhattan", "euclidean", "cosine"])
def test_distances_equal_the_loop(kind: Distance) -> None:
    parts = world(30, seed=2)  # more than 25 rows: where torch would take a matrix product for the Euclidean distance
    found, rows = sampler_of(parts, distance=kind).distance, parts[1].double().tolist()
    for i, a in enumerate(rows):
        for j, b in enumerate(rows):
            if i != j:
                assert float(found[i, j]) == pytest.approx(distance_by_loop(kind, a, b), rel=1e-9)


@pytest.mark.parametrize("kind", ["manhattan", "euclidean", "cosine"])
def test_equal_classes_count_as_the_nearest_pair(kind: Distance) -> None:
    present, degree, images = world(5, seed=3)
    degree[1] = degree[0]
    found = sampler_of((present, degree, images), distance=kind).distance
    others = [float(found[i, j]) for i in range(5) for j in range(5) if i != j and {i, j} != {0, 1}]
    assert float(found[0, 1]) == pytest.approx(min(others))
    assert min(others) > 1e-6


@pytest.mark.parametrize("kind", ["manhattan", "euclidean", "cosine"])
@pytest.mark.parametrize("weighting", ["linear", "squared", "softmax"])
def test_draws_follow_the_variant(kind: Distance, weighting: ClassWeighting) -> None:
    parts, draws = world(9, seed=4), 20_000
    present, degree, _ = parts
    sampler = sampler_of(parts, class_weighting=weighting, distance=kind)
    class_index, target = every_anchor(present)
    enough = (sampler.positive_candidates(class_index, target).sum(dim=1) >= 3) & (
        sampler.negative_candidates(class_index, target).sum(dim=1) >= 3
    )
    row = int(enough.nonzero()[0])
    c, t = int(class_index[row]), int(target[row])
    generator = torch.Generator().manual_seed(11)
    partners = sampler.sample(torch.full((draws,), c), torch.full((draws,), t), generator)
    rows = degree.double().tolist()
    away = [distance_by_loop(kind, rows[c], other) if k != c else math.inf for k, other in enumerate(rows)]
    of = {"linear": lambda x: x, "squared": lambda x: x * x, "softmax": math.exp}[weighting]
    like, first, second = partners.class_index[:, [0, 1, 3]].unbind(dim=1)
    assert_follows(like, [of(away[k]) if k != c and present[k, t] else 0.0 for k in range(9)])
    peak = max(1 / far for far in away)  # e^Sim overflows for near classes; the factor cancels
    near = [of(1 / far - peak) if weighting == "softmax" else of(1 / far) for far in away]
    similar = [near[k] if is_negative(present, c, t, k, "eq17") else 0.0 for k in range(9)]
    assert_follows(first, similar)
    taken = int(first.mode().values)
    assert_follows(second[first == taken], [0.0 if k == taken else weight for k, weight in enumerate(similar)])


def test_a_softmax_that_all_goes_to_one_class_still_gives_two() -> None:
    """Sim is 1e5 for the nearest class and at most 10 for the others: e^Sim is 0 beside it in any precision."""
    parts = tiny([[0.5], [0.9], [0.8], [0.50001], [0.3], [0.1]])
    partners = sampler_of(parts, class_weighting="softmax").sample(
        torch.zeros(500, dtype=torch.int64), torch.zeros(500, dtype=torch.int64), torch.Generator().manual_seed(1)
    )
    first, second = partners.class_index[:, 1], partners.class_index[:, 3]
    assert (first == 3).all()
    assert set(second.tolist()) == {4, 5}


@pytest.mark.parametrize("seed", range(4))
def test_partners_of_every_variant_are_admissible(seed: int) -> None:
    parts = world(8, seed)
    c, t = every_anchor(parts[0])
    sampler = sampler_of(
        parts, class_weighting=("linear", "softmax")[seed % 2], distance=("euclidean", "cosine")[seed // 2]
    )
    assert_admissible(sampler.sample(c, t, torch.Generator().manual_seed(seed)), parts, c, t)


def test_the_paper_is_the_default_and_unknown_switches_are_refused() -> None:
    parts = world(8, seed=1)
    c, t = every_anchor(parts[0])
    default, named = sampler_of(parts), sampler_of(parts, class_weighting="squared", distance="manhattan")
    first, again = (made.sample(c, t, torch.Generator().manual_seed(2)) for made in (default, named))
    assert torch.equal(first.image, again.image)
    with pytest.raises(ValueError, match="got class_weighting 'cubic'; allowed are linear, squared, softmax"):
        sampler_of(parts, class_weighting="cubic")
    with pytest.raises(ValueError, match="got distance 'hamming'; allowed are manhattan, euclidean, cosine"):
        sampler_of(parts, distance="hamming")
    with pytest.raises(ValueError, match="got candidates 'none'; allowed are eq17, disjoint"):
        sampler_of(parts, candidates="none")
