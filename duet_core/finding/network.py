"""The network that finds the box: the first stages of a pre-trained encoder, and a vote of their cells."""

from __future__ import annotations

import dataclasses
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from duet_core.config import VisionConfig
from duet_core.model.build import build_vision
from duet_core.model.fixed_norm import fix_norms, make_plain

_HIDDEN = 64
_FARTHEST = 0.5
"""Scale of the distances a cell gives, in sides of the photo."""


class FinderNetwork(nn.Module):
    """Where the object is in a photo that was stretched to a square.

    Every cell of the last feature map says how far the box's edges are from its own centre, and how much its word
    counts; the box is the weighted mean. A cell says the same wherever in the photo it lies, so that few photos
    suffice. Letter key: B photos, S pixels a side, C channels, n cells a side.
    """

    def __init__(self, config: VisionConfig, *, stages: int, frozen: int) -> None:
        """Take the stem and the first stages of the encoder; the head is new.

        Args:
            config: which encoder, with its weights; a convolutional one with `blocks`, such as mobilenetv2_100.
            stages: how many of its `blocks` are kept.
            frozen: how many of these, with the stem, do not train. Batch norms keep their statistics in all of them,
                and are computed inside the convolutions (`duet_core.model.fixed_norm`).

        Raises ValueError for an encoder whose stages are not known.
        """
        super().__init__()
        encoder = build_vision(dataclasses.replace(config, frozen_stages=stages, fixed_norms=False, freeze=False))
        self.features = nn.Sequential(*encoder.trunk_modules()).requires_grad_(True)
        fix_norms(self.features)
        for part in list(self.features)[: len(self.features) - stages + frozen]:
            make_plain(part).requires_grad_(False)
        self.features.to(memory_format=torch.channels_last)
        channels = cast(Tensor, self.features(torch.zeros(1, 3, 64, 64))).shape[1]
        self.head = nn.Sequential(
            nn.Conv2d(channels, _HIDDEN, 1, bias=False),
            nn.BatchNorm2d(_HIDDEN),
            nn.ReLU(),
            nn.Conv2d(_HIDDEN, _HIDDEN, 3, padding=1, groups=_HIDDEN, bias=False),
            nn.BatchNorm2d(_HIDDEN),
            nn.ReLU(),
            nn.Conv2d(_HIDDEN, 5, 1),
        )

    def train(self, mode: bool = True) -> FinderNetwork:
        """Set the training mode of the head; the encoder's batch norms stay as they were pre-trained."""
        super().train(mode)
        self.features.train(False)
        return self

    def forward(self, pixels: Tensor) -> Tensor:
        """Boxes (B, 4) left, top, right, bottom of normalised pixels (B, 3, S, S), in 0…1 or a little beyond."""
        told = self.head(self.features(pixels.contiguous(memory_format=torch.channels_last)))  # (B, 5, n, n)
        side = told.shape[-1]
        centre = (torch.arange(side, device=told.device) + 0.5) / side  # (n,)
        x, y = centre[None, None, :], centre[None, :, None]
        left, top, right, bottom = (functional.softplus(told[:, :4]) * _FARTHEST).unbind(dim=1)  # each (B, n, n)
        edges = torch.stack([x - left, y - top, x + right, y + bottom], dim=1).flatten(2)  # (B, 4, n * n)
        share = told[:, 4].flatten(1).softmax(dim=-1)  # (B, n * n)
        boxes: Tensor = (edges * share[:, None]).sum(dim=-1)
        return boxes
