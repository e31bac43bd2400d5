"""L_ar against an explicit loop (Eq. 7)."""

from __future__ import annotations

import pytest
import torch

from duet_core.losses import attribute_regression


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_loop(dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(1)
    v, z = torch.randn(2, 5, 9, generator=g, dtype=dtype).unbind()
    total = sum((a - b) ** 2 for a, b in zip(v.flatten().tolist(), z.flatten().tolist(), strict=True))
    loss = attribute_regression(v, z)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(total / 5, rel=1e-5)


def test_gradients() -> None:
    g = torch.Generator().manual_seed(2)
    v = torch.randn(3, 4, generator=g, dtype=torch.float64, requires_grad=True)
    z = torch.randn(3, 4, generator=g, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: attribute_regression(x, z), (v,))


def test_does_not_broadcast() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4\) and z \(1, 4\)"):
        attribute_regression(torch.zeros(3, 4), torch.zeros(1, 4))
