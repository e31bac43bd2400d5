"""L_acl (Eq. 15): attribute-level contrastive learning on the language side."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from duet_core.losses.class_contrast import negative_log_share


def attribute_contrast(
    anchor: Tensor,
    positive: Tensor,
    negatives: Tensor,
    weight: Tensor,
    tau: float = 0.05,
    *,
    normalise: bool = True,
) -> Tensor:
    """Mean over the anchors of weight · -log f(a | s, x), f as in Eq. 10 (Eq. 15).

    Args:
        anchor: (M, P) projected mean state of the target's pieces, masked in the anchor's sentence.
        positive: (M, P) the same attribute in the sentence of the positive class, unmasked.
        negatives: (M, K, P) other attributes of the prompt set in the sentences of the negative classes; K is 4.
        weight: (M,) min(degree of the target in the anchor's class, in the positive's class), in 0…1.
        tau: temperature, above 0; the paper has 0.05.
        normalise: compare by cosine / tau, as Eq. 10 does; otherwise by plain dot products without tau, as the authors'
            code does.

    Returns:
        A scalar; 0, still joined to the graph, when M is 0 because no anchor of the batch had partners.

    Raises:
        ValueError: the shapes do not belong together, or tau is not above 0.
    """
    rows, width = anchor.shape[0], anchor.shape[-1]
    fits = anchor.ndim == 2 and positive.shape == anchor.shape and negatives.ndim == 3
    if not fits or negatives.shape[::2] != (rows, width) or weight.shape != (rows,):
        raise ValueError(
            f"got anchor {tuple(anchor.shape)}, positive {tuple(positive.shape)}, negatives {tuple(negatives.shape)}, "
            f"weight {tuple(weight.shape)}; expected (M, P), (M, P), (M, K, P), (M,), for example "
            "(8, 128), (8, 128), (8, 4, 128), (8,)"
        )
    if not tau > 0:
        raise ValueError(f"got tau = {tau}; allowed is a number above 0, for example 0.05")
    if normalise:
        anchor, positive, negatives = (F.normalize(states, dim=-1) for states in (anchor, positive, negatives))
    else:
        tau = 1.0
    near = (anchor * positive).sum(dim=-1) / tau  # (M,)
    far = torch.einsum("mp,mkp->mk", anchor, negatives) / tau  # (M, K)
    return (weight.to(near.dtype) * negative_log_share(near, far)).sum() / max(rows, 1)
