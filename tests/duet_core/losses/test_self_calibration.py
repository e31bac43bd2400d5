"""L_sc against an explicit loop (Eq. 11)."""

from __future__ import annotations

import math

import pytest
import torch

from duet_core.losses import self_calibration


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_loop(dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(1)
    v, z = torch.randn(4, 6, generator=g, dtype=dtype), torch.randn(5, 6, generator=g, dtype=dtype)
    unseen = torch.tensor([False, True, False, True, True])
    total = 0.0
    for row in v.tolist():
        scores = [
            sum(a * b for a, b in zip(row, c, strict=True)) + (1 if new else -1)
            for c, new in zip(z.tolist(), unseen.tolist(), strict=True)
        ]
        whole = sum(map(math.exp, scores))
        total -= sum(math.log(math.exp(s) / whole) for s, new in zip(scores, unseen.tolist(), strict=True) if new)
    loss = self_calibration(v, z, unseen)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(total / 4, rel=1e-5)


def test_gradients_are_right_and_finite_at_extremes() -> None:
    g = torch.Generator().manual_seed(2)
    v = torch.randn(3, 4, generator=g, dtype=torch.float64, requires_grad=True)
    z = torch.randn(5, 4, generator=g, dtype=torch.float64)
    unseen = torch.tensor([True, False, False, True, False])
    assert torch.autograd.gradcheck(lambda x: self_calibration(x, z, unseen), (v,))
    far = torch.tensor([[1e5, -1e5]], requires_grad=True)
    (slope,) = torch.autograd.grad(self_calibration(far, torch.eye(2), torch.tensor([False, True])), far)
    assert slope.isfinite().all()


def test_refuses_what_does_not_belong_together() -> None:
    v, z = torch.zeros(2, 3), torch.zeros(4, 3)
    with pytest.raises(ValueError, match=r"expected \(4,\) torch.bool"):
        self_calibration(v, z, torch.zeros(4))
    with pytest.raises(ValueError, match=r"expected \(B, A\) and \(C, A\)"):
        self_calibration(v, torch.zeros(4, 2), torch.zeros(4, dtype=torch.bool))
