"""Random resized crops and mirror images of a batch of decoded photos, on whatever device they lie."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class CropRange:
    """What a random crop may look like.

    Attributes:
        scale: range of its area as a share of the photo.
        ratio: range of its width over its height.
        flip: mirror half of the crops left to right.
    """

    scale: tuple[float, float]
    ratio: tuple[float, float]
    flip: bool


def random_boxes(count: int, crop: CropRange, generator: torch.Generator) -> Tensor:
    """Boxes (count, 4) as centre x, centre y, width, height in 0…1 of the photo's sides; width < 0 is mirrored.

    Area and ratio are drawn as in torchvision's RandomResizedCrop; a box longer than the photo is cut to its side.
    """
    area = torch.empty(count).uniform_(*crop.scale, generator=generator)
    low, high = (math.log(bound) for bound in crop.ratio)
    ratio = torch.empty(count).uniform_(low, high, generator=generator).exp()
    size = torch.stack(((area * ratio).sqrt(), (area / ratio).sqrt()), dim=1).clamp(max=1.0)  # (count, 2)
    centre = size / 2 + torch.rand(count, 2, generator=generator) * (1 - size)
    if crop.flip:
        mirrored = torch.rand(count, generator=generator) < 0.5
        size[:, 0] = torch.where(mirrored, -size[:, 0], size[:, 0])
    return torch.cat((centre, size), dim=1)


def cut(photos: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Cut boxes (B, 4) out of photos (B, S, S, 3) uint8; returns crops (B, 3, size, size) in 0…1, bilinear."""
    centre, extent = 2 * boxes[:, :2] - 1, boxes[:, 2:]  # the grid runs from -1 to 1
    theta = torch.zeros(len(boxes), 2, 3, device=photos.device)
    theta[:, 0, 0], theta[:, 1, 1] = extent[:, 0], extent[:, 1]
    theta[:, :, 2] = centre
    grid = F.affine_grid(theta, [len(boxes), 3, size, size], align_corners=False)
    channels_first = photos.permute(0, 3, 1, 2).float() / 255  # (B, S, S, 3) -> (B, 3, S, S)
    return F.grid_sample(channels_first, grid, mode="bilinear", padding_mode="border", align_corners=False)
