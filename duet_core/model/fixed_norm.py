"""Batch norms whose statistics stay as they were pre-trained, computed inside the convolutions before them.

With fixed statistics a batch norm is a factor and a summand for each channel, so it can go into the convolution's own
weight and bias: what a step then computes is the convolution alone. Its weight, the norm's weight and its bias still
train, each with the gradient it would have had. Letter key: B images, I and O channels, S pixels a side.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.padding import pad_same
from torch import Tensor, nn
from torch.nn import functional


class FixedNormConv(nn.Module):
    """A convolution and the batch norm behind it, by the norm's own running statistics, as one convolution."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm

    def merged(self) -> tuple[Tensor, Tensor]:
        """Weight (O, I / groups, k, k) and bias (O,) of the one convolution."""
        variance, mean = self.norm.running_var, self.norm.running_mean
        assert variance is not None
        assert mean is not None
        scale = self.norm.weight * torch.rsqrt(variance + self.norm.eps)  # (O,)
        bias = self.norm.bias - mean * scale
        if self.conv.bias is not None:
            bias = bias + self.conv.bias * scale
        return self.conv.weight * scale[:, None, None, None], bias

    def forward(self, images: Tensor) -> Tensor:
        """(B, O, S', S') of images (B, I, S, S)."""
        return _convolve(self.conv, images, *self.merged())

    @torch.no_grad()
    def plain(self) -> nn.Conv2d:
        """The same as an ordinary convolution with a bias, for export."""
        conv = self.conv
        made = type(conv)(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            stride=conv.stride,  # type: ignore[arg-type]
            padding=conv.padding,  # type: ignore[arg-type]
            dilation=conv.dilation,  # type: ignore[arg-type]
            groups=conv.groups,
        )
        weight, bias = self.merged()
        made.weight.copy_(weight)
        assert made.bias is not None
        made.bias.copy_(bias)
        return made


def _convolve(conv: nn.Conv2d, images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    padding = conv.padding
    if isinstance(conv, Conv2dSame):  # timm's: padded as TensorFlow does, by the size of the image
        images, padding = pad_same(images, weight.shape[-2:], conv.stride, conv.dilation), (0, 0)  # type: ignore[arg-type]
    return functional.conv2d(images, weight, bias, conv.stride, padding, conv.dilation, conv.groups)


def fix_norms(module: nn.Module, keep: Sequence[nn.Module] = ()) -> int:
    """Put every batch norm directly behind a convolution into it, below `module`; returns how many there were.

    The activation of timm's batch norms stays in the norm's place. Parts in `keep` stay as they are.
    """
    fixed, before = 0, ""
    for name, part in list(module.named_children()):
        if any(part is kept for kept in keep):
            before = ""
            continue
        conv = getattr(module, before) if before else None
        if isinstance(part, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d) and _are_one(conv, part):
            setattr(module, name, _activation(part))
            setattr(module, before, FixedNormConv(conv, part))
            fixed += 1
        elif not isinstance(part, FixedNormConv):
            fixed += fix_norms(part, keep)
        before = name
    return fixed


def _are_one(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> bool:
    """Whether what the norm does can be done by the convolution, which is none with a way of its own."""
    is_plain = type(conv) in (nn.Conv2d, Conv2dSame) and conv.padding_mode == "zeros"
    return is_plain and conv.out_channels == norm.num_features


def _activation(norm: nn.BatchNorm2d) -> nn.Module:
    """What timm's BatchNormAct2d does after the norm. It is taken out of the norm, which has no use for it now."""
    activation = getattr(norm, "act", None)
    if not isinstance(activation, nn.Module):
        return nn.Identity()
    norm.act = nn.Identity()
    if isinstance(activation, nn.ReLU | nn.ReLU6 | nn.SiLU | nn.Hardswish):
        activation.inplace = False  # in place, autograd keeps a copy of what was overwritten
    return activation


def make_plain(module: nn.Module) -> nn.Module:
    """Replace every FixedNormConv below `module` by the ordinary convolution it is; returns `module`."""
    for name, part in list(module.named_children()):
        setattr(module, name, part.plain() if isinstance(part, FixedNormConv) else make_plain(part))
    return module
