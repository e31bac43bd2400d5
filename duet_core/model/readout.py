"""Prototypes as a part of the model: the linear map that reads v off the encoder's state."""

from __future__ import annotations

import torch
from torch import nn

from duet_core.prototypes import Prototypes


@torch.no_grad()
def readout(prototypes: Prototypes) -> nn.Linear:
    """(B, F) -> (B, A), in float32; it does not train."""
    attributes, features = prototypes.weight.shape
    linear = nn.Linear(features, attributes)
    linear.weight.copy_(torch.from_numpy(prototypes.weight))
    linear.bias.copy_(torch.from_numpy(prototypes.bias))
    return linear.requires_grad_(False)
