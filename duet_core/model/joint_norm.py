"""Batch norms whose statistics are those of the photos of all processes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from timm.layers.norm_act import BatchNormAct2d, convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from duet_core.processes import Processes


class JointBatchNorm(_BatchNorm):
    """For the CPU, where torch has no SyncBatchNorm. Letter key: B rows of this process, C channels, W processes."""

    processes: Processes

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, …) with mean and variance over the B of all processes."""
        if not self.training:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        over = [axis for axis in range(input.ndim) if axis != 1]
        variance, mean = torch.var_mean(input, over, correction=0)  # (C,) each
        count = input.new_tensor([input.numel() // input.shape[1]])
        own = torch.cat((count, mean, variance))[None]  # (1, 1 + 2C)
        every = self.processes.gather(own, [1] * self.processes.world)  # (W, 1 + 2C)
        counts, means, variances = torch.split(every, [1, len(mean), len(mean)], dim=1)
        total = counts.sum()
        mean = (counts * means).sum(dim=0) / total
        variance = (counts * (variances + (means - mean).square())).sum(dim=0) / total
        self._remember(mean.detach(), variance.detach() * total / (total - 1).clamp(min=1))
        scale: Tensor = self.weight * (variance + self.eps).rsqrt()
        shape = [1, -1, *[1] * (input.ndim - 2)]
        shift: Tensor = self.bias - mean * scale
        return input * scale.view(shape) + shift.view(shape)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as torch's batch norms do."""
        if self.num_batches_tracked is None or self.running_mean is None or self.running_var is None:
            return
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance, share)


class JointBatchNormAct(JointBatchNorm):
    """The same for timm's batch norms that carry dropout and an activation."""

    drop: nn.Module
    act: nn.Module

    def forward(self, input: Tensor) -> Tensor:
        """Normalise, drop and activate (B, C, H, W)."""
        return self.act(self.drop(super().forward(input)))  # type: ignore[no-any-return]


def join_batch_norms(module: nn.Module, processes: Processes, device: torch.device) -> None:
    """Let the batch norms inside `module` look at the photos of all processes, on the same parameters and names.

    On CUDA they are torch's and timm's own. One in evaluation mode, as all of a frozen stage, talks to nobody.
    """
    if device.type == "cuda":
        convert_sync_batchnorm(module, processes.group)  # type: ignore[no-untyped-call]
        return
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.__class__ = JointBatchNormAct if isinstance(part, BatchNormAct2d) else JointBatchNorm
            part.__dict__["processes"] = processes
