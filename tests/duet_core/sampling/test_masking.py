"""LWRS against Eq. 2 and against frequencies; RAP's exact share."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from duet_core.sampling import TargetSampler, prune
from duet_core.sampling.masking import Weighting

# Attribute 0 is in every class, 4 in no class, 3 in one; the last class has attributes of equal frequency only.
PRESENT = torch.tensor(
    [
        [True, True, True, False, False, False],
        [True, True, False, True, False, False],
        [True, False, True, False, False, False],
        [True, True, True, False, False, True],
        [False, True, True, False, False, False],
    ]
)


def eq_2_by_loop(row: int) -> list[float]:
    table = PRESENT.tolist()
    weights = [1 / sum(c[a] for c in table) if table[row][a] else 0.0 for a in range(len(table[0]))]
    return [weight / sum(weights) for weight in weights]


def test_linear_probabilities_are_eq_2() -> None:
    probabilities = TargetSampler(present=PRESENT).probabilities
    for row in range(len(PRESENT)):
        assert probabilities[row].tolist() == pytest.approx(eq_2_by_loop(row))


def test_random_is_uniform_over_the_present_ones() -> None:
    probabilities = TargetSampler(present=PRESENT, weighting="random").probabilities
    assert torch.allclose(probabilities, PRESENT / PRESENT.sum(dim=1, keepdim=True, dtype=torch.float64))


def test_minmax_never_asks_the_most_frequent_and_is_uniform_on_ties() -> None:
    probabilities = TargetSampler(present=PRESENT, weighting="minmax").probabilities
    assert probabilities[1].tolist() == [0, 0, 0, 1, 0, 0]  # frequencies 4, 4, 1
    assert probabilities[4].tolist() == [0, 0.5, 0.5, 0, 0, 0]
    three = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 0], [1, 0, 0]], dtype=torch.bool)  # frequencies 4, 3, 1
    scaled = torch.tensor([0, (1 / 3 - 1 / 4) / (3 / 4), 1], dtype=torch.float64)
    assert torch.allclose(TargetSampler(present=three, weighting="minmax").probabilities[0], scaled / scaled.sum())


@pytest.mark.parametrize(("weighting", "of"), [("squared", lambda w: w * w), ("softmax", math.exp)])
def test_the_non_linear_variants_of_a_7_equal_the_loop(weighting: Weighting, of: Callable[[float], float]) -> None:
    probabilities, table = TargetSampler(present=PRESENT, weighting=weighting).probabilities, PRESENT.tolist()
    for row in range(len(PRESENT)):
        weights = [of(1 / sum(c[a] for c in table)) if table[row][a] else 0.0 for a in range(len(table[0]))]
        assert probabilities[row].tolist() == pytest.approx([weight / sum(weights) for weight in weights])


@pytest.mark.parametrize("weighting", ["linear", "random", "minmax", "squared", "softmax"])
def test_draws_follow_the_probabilities(weighting: Weighting) -> None:
    sampler = TargetSampler(present=PRESENT, weighting=weighting)
    draws = 20_000
    classes = torch.arange(len(PRESENT)).repeat_interleave(draws)
    drawn = sampler.sample(classes, torch.Generator().manual_seed(5)).view(len(PRESENT), draws)
    for row, expected in enumerate(sampler.probabilities):
        share = drawn[row].bincount(minlength=PRESENT.shape[1]) / draws
        assert (share[expected == 0] == 0).all()
        assert ((share - expected).abs() <= 5 * (expected * (1 - expected) / draws).sqrt() + 1e-12).all()


def test_draws_repeat_with_the_seed() -> None:
    sampler = TargetSampler(present=PRESENT)
    classes = torch.tensor([0, 3, 3, 1, 2])
    first, again = (sampler.sample(classes, torch.Generator().manual_seed(9)) for _ in range(2))
    assert torch.equal(first, again)


def test_refuses_a_class_without_attributes_and_unknown_switches() -> None:
    with pytest.raises(ValueError, match=r"rows \[1\] have no present attribute"):
        TargetSampler(present=torch.tensor([[True], [False]]))
    with pytest.raises(ValueError, match="allowed are linear, random, minmax, squared, softmax"):
        TargetSampler(present=PRESENT, weighting="cubic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected \(C, A\) torch.bool"):
        TargetSampler(present=PRESENT.float())


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 6),
    attributes=st.integers(1, 40),
    share=st.floats(0, 1),
    ratio=st.one_of(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), st.floats(0, 1)),
    seed=st.integers(0, 10_000),
)
def test_prune_drops_the_exact_share_and_never_the_target(
    rows: int, attributes: int, share: float, ratio: float, seed: int
) -> None:
    g = torch.Generator().manual_seed(seed)
    target = torch.randint(0, attributes, (rows,), generator=g)
    present = (torch.rand(rows, attributes, generator=g) < share).scatter(1, target[:, None], True)
    kept = prune(present, target, ratio, g)
    assert kept[torch.arange(rows), target].all()
    assert not (kept & ~present).any()
    for row in range(rows):
        others = int(present[row].sum()) - 1
        assert int(present[row].sum() - kept[row].sum()) == round(ratio * others)


def test_prune_drops_every_other_attribute_equally_often() -> None:
    draws = 20_000
    present = torch.tensor([True, True, False, True, True, True, True]).repeat(draws, 1)
    kept = prune(present, torch.full((draws,), 3), 0.4, torch.Generator().manual_seed(3))
    share = kept.double().mean(dim=0)
    assert share[[2, 3]].tolist() == [0, 1]
    assert (share[[0, 1, 4, 5, 6]] - 0.6).abs().max() < 5 * (0.24 / draws) ** 0.5


def test_prune_refuses_a_bad_ratio_and_an_absent_target() -> None:
    g = torch.Generator()
    with pytest.raises(ValueError, match=r"got ratio 1\.2"):
        prune(PRESENT, torch.zeros(5, dtype=torch.int64), 1.2, g)
    with pytest.raises(ValueError, match="row 4: target 0 is not present"):
        prune(PRESENT, torch.zeros(5, dtype=torch.int64), 0.5, g)
