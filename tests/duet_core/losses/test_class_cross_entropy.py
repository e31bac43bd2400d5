"""L_cc against an explicit loop (Eq. 8)."""

from __future__ import annotations

import math

import pytest
import torch

from duet_core.losses import class_cross_entropy


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_loop(dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(1)
    v, z = torch.randn(5, 6, generator=g, dtype=dtype), torch.randn(4, 6, generator=g, dtype=dtype)
    label = torch.tensor([0, 3, 1, 1, 2])
    total = 0.0
    for row, true in zip(v.tolist(), label.tolist(), strict=True):
        scores = [sum(a * b for a, b in zip(row, c, strict=True)) for c in z.tolist()]
        total -= math.log(math.exp(scores[true]) / sum(map(math.exp, scores)))
    loss = class_cross_entropy(v, z, label)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(total / 5, rel=1e-4)


def test_is_taken_on_logits_not_on_probabilities() -> None:
    """A softmax before the cross-entropy would bound the loss below (log(C - 1 + e) - 1); logits reach 0."""
    loss = class_cross_entropy(torch.tensor([[50.0, 0.0]]), torch.eye(2), torch.tensor([0]))
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_gradients_are_right_and_finite_at_extremes() -> None:
    g = torch.Generator().manual_seed(2)
    v = torch.randn(3, 4, generator=g, dtype=torch.float64, requires_grad=True)
    z = torch.randn(5, 4, generator=g, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: class_cross_entropy(x, z, torch.tensor([0, 1, 4])), (v,))
    far = torch.tensor([[1e5, -1e5]], requires_grad=True)
    (slope,) = torch.autograd.grad(class_cross_entropy(far, torch.eye(2), torch.tensor([1])), far)
    assert slope.isfinite().all()


def test_refuses_shapes_that_do_not_belong_together() -> None:
    with pytest.raises(ValueError, match=r"expected \(B, A\), \(C, A\), \(B,\)"):
        class_cross_entropy(torch.zeros(2, 3), torch.zeros(4, 5), torch.zeros(2, dtype=torch.int64))


def test_the_authors_softmax_twice_equals_the_loop_and_is_confined() -> None:
    g = torch.Generator().manual_seed(3)
    v, z = 9 * torch.randn(5, 6, generator=g, dtype=torch.float64), torch.randn(4, 6, generator=g, dtype=torch.float64)
    label = torch.tensor([0, 3, 1, 1, 2])
    total = 0.0
    for row, true in zip(v.tolist(), label.tolist(), strict=True):
        scores = [sum(a * b for a, b in zip(row, c, strict=True)) for c in z.tolist()]
        shares = [math.exp(score) / sum(map(math.exp, scores)) for score in scores]
        loss = -math.log(math.exp(shares[true]) / sum(map(math.exp, shares)))
        assert math.log(3 + math.e) - 1 <= loss <= math.log(3 + math.e)
        total += loss
    assert class_cross_entropy(v, z, label, of="probs").item() == pytest.approx(total / 5)
