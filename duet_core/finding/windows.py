"""Random windows of whole photos that hold the box: the object at every size and place, once in a photo."""

from __future__ import annotations

import torch
from torch import Tensor

_WHOLE = 0.4
"""Share of the windows that are the whole photo."""


def random_windows(boxes: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Windows that hold the boxes, mirrored half of the time, and the boxes in them.

    An edge of a window lies anywhere between the photo's edge and the box's. Letter key: B photos.

    Args:
        boxes: (B, 4) left, top, right, bottom in 0…1 of the photo's sides.

    Returns windows (B, 4) as `duet_core.augment.cut` takes them, and boxes (B, 4) in 0…1 of the windows' sides.
    """
    count = len(boxes)
    taken = torch.rand(count, 4, generator=generator) * (torch.rand(count, 1, generator=generator) >= _WHOLE)
    low = boxes[:, :2] * taken[:, :2]  # (B, 2) left and top
    size = 1 - (1 - boxes[:, 2:]) * taken[:, 2:] - low
    inside = (boxes - low.repeat(1, 2)) / size.repeat(1, 2)
    mirrored = torch.rand(count, generator=generator) < 0.5
    turned = torch.stack([1 - inside[:, 2], inside[:, 1], 1 - inside[:, 0], inside[:, 3]], dim=1)
    inside = torch.where(mirrored[:, None], turned, inside)
    width = torch.where(mirrored, -size[:, 0], size[:, 0])
    return torch.cat([low + size / 2, width[:, None], size[:, 1:]], dim=1), inside
