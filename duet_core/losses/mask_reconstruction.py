"""L_cmr (Eqs. 5, 6): how well the image and the sentence fill in the masked attribute."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def mask_reconstruction(logits: Tensor, target: Tensor, sentence: Tensor, weight: Tensor) -> Tensor:
    """Mean over the sentences of weight times the sum over its masked pieces of -log P(piece) (Eq. 5).

    Only the masked positions enter, gathered from all sentences: Q of them, a few in each sentence.

    Args:
        logits: (Q, W) scores a_i · e_w over the W words of the vocabulary (Eq. 6, before the softmax).
        target: (Q,) int64 the piece that was masked, 0…W-1.
        sentence: (Q,) int64 the sentence, 0…N-1, to which each piece belongs.
        weight: (N,) degree of each sentence's target attribute in 0…1; N counts the sentences of the mean.

    Raises:
        ValueError: the shapes do not belong together, or there is no sentence.
    """
    pieces = logits.shape[0]
    if logits.ndim != 2 or target.shape != (pieces,) or sentence.shape != (pieces,) or weight.ndim != 1:
        raise ValueError(
            f"got logits {tuple(logits.shape)}, target {tuple(target.shape)}, sentence {tuple(sentence.shape)}, "
            f"weight {tuple(weight.shape)}; expected (Q, W), (Q,), (Q,), (N,), for example (6, 30522), (6,), (6,), (4,)"
        )
    if weight.shape[0] == 0:
        raise ValueError("got 0 sentences; a mean needs at least one")
    surprise = F.cross_entropy(logits, target, reduction="none")  # (Q,) -log P(w_i)
    return (weight.to(surprise.dtype)[sentence] * surprise).sum() / weight.shape[0]
