"""Batch norms over all processes: those of torch and timm, when there is one."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from duet_core.model.joint_norm import JointBatchNorm, join_batch_norms
from duet_core.processes import Processes

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (lambda: nn.BatchNorm1d(3), (7, 3)),
        (lambda: nn.BatchNorm2d(3, momentum=None), (4, 3, 5, 6)),
        (lambda: BatchNormAct2d(3, act_layer=nn.ReLU), (4, 3, 5, 6)),
    ],
)
def test_for_one_process_they_are_batch_norms(made: Callable[[], nn.Module], shape: tuple[int, ...]) -> None:
    plain = nn.Sequential(made())
    joined = copy.deepcopy(plain)
    join_batch_norms(joined, Processes(), CPU)
    assert isinstance(joined[0], JointBatchNorm)
    assert joined.state_dict().keys() == plain.state_dict().keys()
    random = torch.Generator().manual_seed(1)
    for _ in range(3):
        pixels = torch.randn(shape, generator=random) * 2 + 5
        inputs = [pixels.clone().requires_grad_(), pixels.clone().requires_grad_()]
        outputs = [network(given) for network, given in zip((plain, joined), inputs, strict=True)]
        weight = torch.randn(shape, generator=random)
        for output in outputs:
            (output * weight).sum().backward()
        torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(inputs[1].grad, inputs[0].grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(joined.state_dict(), plain.state_dict(), rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(joined.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)
    plain.load_state_dict(joined.state_dict())
    assert torch.equal(joined.eval()(pixels), plain.eval()(pixels))


def test_one_that_is_frozen_asks_nobody() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3)).eval()
    join_batch_norms(network, Processes(rank=0, world=2), CPU)  # there is no second process here
    assert isinstance(network[0], JointBatchNorm)
    assert network(torch.ones(2, 3, 4, 4)).shape == (2, 3, 4, 4)
