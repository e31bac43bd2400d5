"""L_acl against an explicit loop (Eq. 15)."""

from __future__ import annotations

import math

import pytest
import torch

from duet_core.losses import attribute_contrast


def cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tau", [0.05, 0.7])
def test_equals_the_loop(dtype: torch.dtype, tau: float) -> None:
    g = torch.Generator().manual_seed(1)
    anchor, positive = torch.randn(2, 3, 6, generator=g, dtype=dtype).unbind()
    negatives = torch.randn(3, 4, 6, generator=g, dtype=dtype)
    weight = torch.rand(3, generator=g, dtype=dtype)
    total = 0.0
    for m in range(3):
        a = anchor[m].tolist()
        near = math.exp(cosine(a, positive[m].tolist()) / tau)
        far = sum(math.exp(cosine(a, other) / tau) for other in negatives[m].tolist())
        total -= float(weight[m]) * math.log(near / (near + far))
    loss = attribute_contrast(anchor, positive, negatives, weight, tau)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(total / 3, rel=1e-4)


def test_gradients() -> None:
    g = torch.Generator().manual_seed(2)
    anchor, positive = torch.randn(2, 3, 4, generator=g, dtype=torch.float64).unbind()
    states = (anchor.clone(), positive.clone(), torch.randn(3, 4, 4, generator=g, dtype=torch.float64))
    for state in states:
        state.requires_grad_()
    weight = torch.tensor([0.2, 1.0, 0.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a, p, n: attribute_contrast(a, p, n, weight, 0.5), states)


def test_no_anchor_is_a_zero_that_can_be_differentiated() -> None:
    anchor = torch.zeros(0, 6, requires_grad=True)
    loss = attribute_contrast(anchor, torch.zeros(0, 6), torch.zeros(0, 4, 6), torch.zeros(0))
    torch.autograd.grad(loss, anchor)
    assert loss.item() == 0


def test_refuses_what_does_not_belong_together() -> None:
    states, weight = torch.zeros(2, 3), torch.zeros(2)
    with pytest.raises(ValueError, match=r"expected \(M, P\), \(M, P\), \(M, K, P\)"):
        attribute_contrast(states, states, torch.zeros(2, 4, 5), weight)
    with pytest.raises(ValueError, match="tau = -1"):
        attribute_contrast(states, states, torch.zeros(2, 4, 3), weight, tau=-1)


def test_the_authors_dot_products_equal_the_loop() -> None:
    g = torch.Generator().manual_seed(4)
    anchor, positive = torch.randn(2, 3, 6, generator=g, dtype=torch.float64).unbind()
    negatives = torch.randn(3, 4, 6, generator=g, dtype=torch.float64)
    weight = torch.rand(3, generator=g, dtype=torch.float64)
    total = 0.0
    for m in range(3):
        near, *far = (
            math.exp(sum(a * b for a, b in zip(anchor[m].tolist(), other.tolist(), strict=True)))
            for other in (positive[m], *negatives[m])
        )
        total -= float(weight[m]) * math.log(near / (near + sum(far)))
    for tau in (0.05, 0.7):  # which has no part in it
        loss = attribute_contrast(anchor, positive, negatives, weight, tau, normalise=False)
        assert loss.item() == pytest.approx(total / 3)
