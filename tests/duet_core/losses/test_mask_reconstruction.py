"""L_cmr against an explicit loop over sentences and pieces (Eqs. 5, 6)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from duet_core.losses import mask_reconstruction


def by_loop(logits: Tensor, target: Tensor, sentence: Tensor, weight: Tensor) -> float:
    total = 0.0
    for n in range(len(weight)):
        for row, owner in zip(range(len(target)), sentence.tolist(), strict=True):
            if owner == n:
                scores = logits[row].tolist()
                share = math.exp(scores[int(target[row])]) / sum(math.exp(score) for score in scores)
                total += float(weight[n]) * -math.log(share)
    return total / len(weight)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_loop(dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(1)
    logits = torch.randn(7, 11, generator=g, dtype=dtype)
    target = torch.randint(0, 11, (7,), generator=g)
    sentence = torch.tensor([0, 0, 1, 3, 3, 3, 1])  # sentence 2 has no masked piece, but counts in the mean
    weight = torch.rand(4, generator=g, dtype=dtype)
    loss = mask_reconstruction(logits, target, sentence, weight)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(by_loop(logits, target, sentence, weight), rel=1e-5)


def test_gradients_are_right_and_finite_at_extremes() -> None:
    g = torch.Generator().manual_seed(2)
    logits = torch.randn(4, 5, generator=g, dtype=torch.float64, requires_grad=True)
    target, sentence = torch.tensor([0, 4, 2, 2]), torch.tensor([0, 1, 1, 1])
    weight = torch.tensor([0.3, 0.9], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: mask_reconstruction(x, target, sentence, weight), (logits,))
    huge = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = mask_reconstruction(huge, torch.tensor([1]), torch.tensor([0]), torch.ones(1))
    (slope,) = torch.autograd.grad(loss, huge)
    assert loss.item() == pytest.approx(2e4)
    assert slope.isfinite().all()


def test_nothing_masked_is_zero() -> None:
    logits = torch.zeros(0, 5, requires_grad=True)
    none = torch.zeros(0, dtype=torch.int64)
    loss = mask_reconstruction(logits, none, none, torch.ones(3))
    torch.autograd.grad(loss, logits)  # still joined to the graph
    assert loss.item() == 0


def test_refuses_shapes_that_do_not_belong_together() -> None:
    index = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"expected \(Q, W\)"):
        mask_reconstruction(torch.zeros(3, 5), index, index, torch.ones(1))
    with pytest.raises(ValueError, match="0 sentences"):
        mask_reconstruction(torch.zeros(2, 5), index, index, torch.ones(0))
