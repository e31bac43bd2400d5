"""Training of the network that finds the box."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from duet_core.augment import cut
from duet_core.config import VisionConfig
from duet_core.finding.network import FinderNetwork
from duet_core.finding.pairs import Pairs
from duet_core.finding.recipe import FinderRecipe
from duet_core.finding.windows import random_windows
from duet_core.runtime import load_rgb

_REPORTS = 10
_LEAST = 1e-6


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """(B,) intersection over union of boxes (B, 4) and (B, 4): left, top, right, bottom."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(dim=1) for box in (first, second)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=_LEAST)


def stretched_photos(files: Sequence[Path], side: int) -> NDArray[np.uint8]:
    """(n, side, side, 3) the photos as squares, nothing cut away."""
    size = (side, side)
    return np.stack([np.asarray(load_rgb(file).resize(size, Image.Resampling.BICUBIC)) for file in files])


def fit_finder(
    pairs: Pairs,
    config: VisionConfig,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    recipe: FinderRecipe,
    seed: int = 0,
) -> Generator[str, None, FinderNetwork]:
    """Train on whole photos with known boxes; yields lines of progress, returns the network in evaluation mode.

    Raises ValueError for fewer photos than a batch.
    """
    if len(pairs) < recipe.batch_size:
        raise ValueError(f"{len(pairs)} whole photos with a known box; at least {recipe.batch_size} are needed")
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = FinderNetwork(config, stages=recipe.stages, frozen=recipe.frozen).train()
    photos = torch.from_numpy(stretched_photos(pairs.files, recipe.photo_side))  # (n, P, P, 3)
    boxes = torch.from_numpy(pairs.boxes)
    shift, scale = (torch.tensor(values).view(3, 1, 1) for values in (mean, std))
    steps = recipe.epochs * len(pairs) // recipe.batch_size
    optimizer, schedule = _optimizer(network, recipe, steps)
    started, every = time.monotonic(), max(1, steps // _REPORTS)
    for step in range(1, steps + 1):
        chosen = torch.randint(len(pairs), (recipe.batch_size,), generator=generator)
        windows, wanted = random_windows(boxes[chosen], generator)
        light = 1 + recipe.brightness * (2 * torch.rand(len(chosen), 1, 1, 1, generator=generator) - 1)
        pixels = (cut(photos[chosen], windows, recipe.side) * light).clamp(max=1)  # (B, 3, S, S)
        loss = finder_loss(network((pixels - shift) / scale), wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % every == 0 or step == steps:
            left = (time.monotonic() - started) / step * (steps - step)
            yield f"finder: step {step} of {steps}, loss {loss.item():.3f}, {left:.0f} s left"
    return network.eval()


def finder_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean over boxes (B, 4) of 1 - IoU, and of the distance of the edges, which also pulls boxes that do not meet."""
    edges = functional.smooth_l1_loss(found, wanted, beta=0.05)
    return 4 * edges + (1 - overlap(found, wanted)).mean()


def _optimizer(
    network: FinderNetwork, recipe: FinderRecipe, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    encoder = [parameter for parameter in network.features.parameters() if parameter.requires_grad]
    rates = (recipe.lr_head, recipe.lr_encoder)
    groups = [{"params": list(network.head.parameters()), "lr": rates[0]}, {"params": encoder, "lr": rates[1]}]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=list(rates), total_steps=steps)
