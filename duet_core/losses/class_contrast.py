"""L_con (Eqs. 9, 10): images of one class near each other, those of other classes far away."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def negative_log_share(positive: Tensor, negatives: Tensor) -> Tensor:
    """-log of the positive's share e^p / (e^p + sum of e^n): -log f of Eq. 10, for each anchor.

    Args:
        positive: (B,) similarity to the positive, already divided by tau.
        negatives: (B, K) similarities to the negatives, divided by tau; -inf takes an entry out of the sum.

    Returns:
        (B,) values of at least 0; exactly 0 (gradient 0) for an anchor whose negatives are all -inf.
    """
    every = torch.cat([positive.unsqueeze(1), negatives], dim=1)  # (B, 1 + K); the positive keeps each row finite
    return every.logsumexp(dim=1) - positive


def class_contrast(h: Tensor, label: Tensor, positive: Tensor, tau: float = 0.05) -> Tensor:
    """Mean over the anchors of -log f(v, v+), the negatives being the batch's images of other classes (Eqs. 9, 10).

    The first B of the M rows are the anchors. Rows of the anchor's own class other than its positive, and the anchor
    itself, are left out of the sum. An anchor without any row of another class adds 0: its softmax has one term.

    Args:
        h: (M, P) images after the projection head H, not yet normalised; the cosine is taken here.
        label: (M,) int64 class of every row.
        positive: (B,) int64 row of each anchor's positive: same class, not the anchor itself. B <= M.
        tau: temperature, above 0; the paper has 0.05.

    Raises:
        ValueError: the shapes do not belong together, or tau is not above 0.
    """
    anchors, rows = positive.shape[0], h.shape[0]
    if h.ndim != 2 or label.shape != (rows,) or positive.ndim != 1 or not 0 < anchors <= rows:
        raise ValueError(
            f"got h {tuple(h.shape)}, label {tuple(label.shape)}, positive {tuple(positive.shape)}; "
            "expected (M, P), (M,), (B,) with 1 <= B <= M, for example (64, 128), (64,), (32,)"
        )
    if not tau > 0:
        raise ValueError(f"got tau = {tau}; allowed is a number above 0, for example 0.05")
    unit = F.normalize(h, dim=1)  # (M, P)
    similarity = unit[:anchors] @ unit.T / tau  # (B, M) D / tau
    same = label[:anchors, None] == label  # (B, M)
    chosen = similarity.gather(1, positive[:, None]).squeeze(1)  # (B,)
    return negative_log_share(chosen, similarity.masked_fill(same, float("-inf"))).mean()
