"""L_cc (Eq. 8): cross-entropy of the true class among the seen classes."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor


def class_cross_entropy(
    v: Tensor, class_vectors: Tensor, label: Tensor, *, of: Literal["logits", "probs"] = "logits"
) -> Tensor:
    """Mean over the batch of -log softmax over the classes of v·z[c], at the true class (Eq. 8).

    The softmax is taken once, inside, on logits; with ``of="probs"`` it is taken of their softmax, a second time, as
    the authors' code does: the loss is then confined to a range of width 1.

    Args:
        v: (B, A) predicted attribute vectors.
        class_vectors: (C, A) class vectors z of the seen classes only.
        label: (B,) int64 row of `class_vectors` of each image's class.
        of: what the cross-entropy is given.

    Raises:
        ValueError: the shapes do not belong together.
    """
    if v.ndim != 2 or class_vectors.ndim != 2 or v.shape[1] != class_vectors.shape[1] or label.shape != v.shape[:1]:
        raise ValueError(
            f"got v {tuple(v.shape)}, class_vectors {tuple(class_vectors.shape)}, label {tuple(label.shape)}; "
            "expected (B, A), (C, A), (B,), for example (32, 312), (100, 312), (32,)"
        )
    scores = v @ class_vectors.T  # (B, C)
    return F.cross_entropy(scores.softmax(dim=1) if of == "probs" else scores, label)
