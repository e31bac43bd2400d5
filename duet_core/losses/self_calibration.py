"""L_sc (Eq. 11): keep probability on the unseen classes, so that training does not close them off."""

from __future__ import annotations

import torch
from torch import Tensor


def self_calibration(v: Tensor, class_vectors: Tensor, unseen: Tensor) -> Tensor:
    """Mean over the batch of -sum over c' in Cu of log softmax over C of (v·z[c] + s_c) at c' (Eq. 11).

    s_c is +1 for unseen and -1 for seen classes. It is a sum of logarithms over the unseen classes, as printed.

    Args:
        v: (B, A) predicted attribute vectors.
        class_vectors: (C, A) class vectors z of all classes, seen and unseen.
        unseen: (C,) bool, True for the unseen classes.

    Raises:
        ValueError: the shapes do not belong together, or `unseen` is not boolean.
    """
    if v.ndim != 2 or class_vectors.ndim != 2 or v.shape[1] != class_vectors.shape[1]:
        raise ValueError(
            f"got v {tuple(v.shape)} and class_vectors {tuple(class_vectors.shape)}; expected (B, A) and (C, A), "
            "for example (32, 312) and (127, 312)"
        )
    if unseen.shape != class_vectors.shape[:1] or unseen.dtype != torch.bool:
        raise ValueError(
            f"got unseen {tuple(unseen.shape)} {unseen.dtype}; expected ({class_vectors.shape[0]},) torch.bool"
        )
    shift = unseen.to(v.dtype) * 2 - 1  # (C,) s_c
    log_probability = (v @ class_vectors.T + shift).log_softmax(dim=1)  # (B, C)
    return -log_probability.masked_fill(~unseen, 0).sum(dim=1).mean()
