"""L_con against an explicit loop (Eqs. 9, 10)."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from duet_core.losses import class_contrast

LABEL = torch.tensor([0, 1, 0, 2, 0, 1, 0, 2])
POSITIVE = torch.tensor([4, 5, 0, 7])


def cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def by_loop(h: Tensor, label: Tensor, positive: Tensor, tau: float) -> float:
    rows, classes, total = h.tolist(), label.tolist(), 0.0
    for i, partner in enumerate(positive.tolist()):
        near = math.exp(cosine(rows[i], rows[partner]) / tau)
        far = sum(math.exp(cosine(rows[i], rows[j]) / tau) for j in range(len(rows)) if classes[j] != classes[i])
        total -= math.log(near / (near + far))
    return total / len(positive)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tau", [0.05, 0.7])
def test_equals_the_loop(dtype: torch.dtype, tau: float) -> None:
    h = torch.randn(8, 5, generator=torch.Generator().manual_seed(1), dtype=dtype)
    loss = class_contrast(h, LABEL, POSITIVE, tau)
    assert loss.dtype == dtype
    assert loss.item() == pytest.approx(by_loop(h, LABEL, POSITIVE, tau), rel=1e-4)


def test_other_rows_of_the_same_class_do_not_matter() -> None:
    h = torch.randn(8, 5, generator=torch.Generator().manual_seed(2))
    before = class_contrast(h, LABEL, torch.tensor([4]))
    h[2], h[6] = 3.0, -1.0  # rows of class 0, neither anchor 0 nor its positive
    assert torch.equal(class_contrast(h, LABEL, torch.tensor([4])), before)


def test_an_anchor_without_negatives_adds_nothing() -> None:
    h = torch.randn(4, 3, generator=torch.Generator().manual_seed(3), requires_grad=True)
    loss = class_contrast(h, torch.zeros(4, dtype=torch.int64), torch.tensor([1, 0]))
    (slope,) = torch.autograd.grad(loss, h)
    assert loss.item() == 0
    assert slope.abs().max() == 0


def test_gradients() -> None:
    h = torch.randn(8, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: class_contrast(x, LABEL, POSITIVE, 0.5), (h,))
    assert torch.autograd.gradcheck(lambda x: class_contrast(x, LABEL * 0, POSITIVE, 0.5), (h,))


def test_refuses_what_does_not_belong_together() -> None:
    h = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="1 <= B <= M"):
        class_contrast(h, torch.zeros(2, dtype=torch.int64), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"tau = 0\.0"):
        class_contrast(h, torch.zeros(2, dtype=torch.int64), torch.tensor([1]), tau=0.0)
