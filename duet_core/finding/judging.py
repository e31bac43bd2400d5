"""How well a bundle's finder finds boxes."""

from __future__ import annotations

import numpy as np
import torch

from duet_core.finding.fitting import overlap
from duet_core.finding.pairs import Pairs
from duet_core.runtime import load_rgb
from duet_core.runtime.finder import Finder


def mean_overlap(finder: Finder, pairs: Pairs) -> tuple[float, float]:
    """Mean intersection over union with the known boxes, and the share of photos in which it is above a half."""
    found = [finder.find(load_rgb(file)) for file in pairs.files]
    boxes = np.array([(box.left, box.top, box.right, box.bottom) for box in found], dtype=np.float32)
    shared = overlap(torch.from_numpy(boxes), torch.from_numpy(pairs.boxes))
    return float(shared.mean()), float((shared > 0.5).float().mean())
