"""Which attribute is masked (LWRS, Eq. 2) and which others leave the sentence (RAP)."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

Weighting = Literal["linear", "random", "minmax", "squared", "softmax"]


class TargetSampler:
    """Draws the target attribute of each image from the attributes present in its class (Eq. 2).

    With A_c the attributes present in class c and Cs the training classes, attribute j of A_c is the target with
    probability

        p(a_j) = w_j / Σ_{i in A_c} w_i,   w_j = 1 / |{c in Cs : j in A_c}|     (2)

    so that an attribute of few classes is asked more often in each of them.

    Attributes:
        probabilities: (C, A) float64, each row sums to 1; 0 where the attribute is not present in the class.
    """

    def __init__(self, *, present: Tensor, weighting: Weighting = "linear") -> None:
        """Compute the table once.

        Args:
            present: (C, A) bool, the attribute sets of the training classes and of no others.
            weighting: "linear" weighs an attribute by 1 / (number of classes that have it), as Eq. 2 does; "random"
                weighs all alike; "minmax" stretches the linear weights of each class to 0…1 as the authors' code
                does, so that the class's most frequent attributes are never asked (all alike where they tie);
                "squared" weighs by w_j² and "softmax" by e^{w_j}, the non-linear variants of A.7.

        Raises:
            ValueError: not a (C, A) boolean tensor, an unknown weighting, or a class without any attribute.
        """
        if present.ndim != 2 or present.dtype != torch.bool:
            raise ValueError(
                f"got present {tuple(present.shape)} {present.dtype}; expected (C, A) torch.bool, such as (100, 312)"
            )
        if weighting not in get_args(Weighting):
            raise ValueError(f"got weighting {weighting!r}; allowed are {', '.join(get_args(Weighting))}")
        bare = (~present.any(dim=1)).nonzero().flatten()
        if bare.numel():
            raise ValueError(
                f"training class rows {bare[:5].tolist()} have no present attribute; each needs at least one to mask"
            )
        weight = _weights(present, weighting)  # (C, A)
        self.probabilities = weight / weight.sum(dim=1, keepdim=True)

    def sample(self, class_index: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one target attribute for each image.

        Args:
            class_index: (B,) int64 row of `present` of each image's class.
            generator: the source of randomness.

        Returns:
            (B,) int64 attribute, present in the class.
        """
        drawn = torch.multinomial(self.probabilities[class_index], 1, generator=generator)  # (B, 1)
        return drawn.squeeze(1)


def _weights(present: Tensor, weighting: Weighting) -> Tensor:
    """Weights (C, A) before normalisation, 0 where the attribute is not present."""
    held = present.to(torch.float64)
    if weighting == "random":
        return held
    rarity = 1 / held.sum(dim=0).clamp(min=1)  # (A,) w_j of Eq. 2; the clamp only touches attributes no class has
    if weighting == "linear":
        return held * rarity
    if weighting == "squared":
        return held * rarity.square()
    if weighting == "softmax":
        return held * rarity.exp()  # w_j is at most 1
    low = rarity.expand_as(held).masked_fill(~present, torch.inf).amin(dim=1, keepdim=True)  # (C, 1)
    stretched = held * (rarity - low)  # the class's range cancels when the row is normalised
    tied = stretched.sum(dim=1, keepdim=True) == 0  # the authors' 0/0
    return torch.where(tied, held, stretched)


def prune(
    present: Tensor, target: Tensor, ratio: float, generator: torch.Generator, only: Tensor | None = None
) -> Tensor:
    """Drop a share of each sentence's attributes other than its target (random attribute pruning).

    Of the n - 1 other present attributes exactly round(ratio · (n - 1)) are dropped (half to even), every subset of
    that size being equally likely.

    Args:
        present: (B, A) bool, the attributes of each image's class.
        target: (B,) int64 the attribute that stays.
        ratio: share r to drop, 0…1; the paper has 0.5.
        generator: the source of randomness.
        only: (b,) rows wanted, when not all are: what is drawn is the same.

    Returns:
        (B, A) or (b, A) bool, the attributes kept: a subset of `present` with the target in it.

    Raises:
        ValueError: the ratio is outside 0…1, or a target is not present.
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f"got ratio {ratio}; allowed is 0…1, for example 0.5")
    keys = torch.rand(present.shape, generator=generator)  # (B, A)
    if only is not None:
        present, target, keys = present[only], target[only], keys[only]
    others = present.scatter(1, target[:, None], False)  # (B, A)
    count = others.sum(dim=1, keepdim=True)  # (B, 1) n - 1
    absent = (~present.gather(1, target[:, None]).squeeze(1)).nonzero().flatten()
    if absent.numel():
        row = int(absent[0])
        raise ValueError(f"row {row}: target {int(target[row])} is not present; a target is one of the class's own")
    keys = keys.masked_fill(~others, torch.inf)
    rank = keys.argsort(dim=1, stable=True).argsort(dim=1)  # (B, A) 0…n-2 over the others, in random order
    dropped = rank < (ratio * count.to(torch.float64)).round()
    return present & ~dropped


def sampling_correction(present: Tensor, degree: Tensor, probabilities: Tensor) -> Tensor:
    """What undoes the masking's preference for rare attributes: (A,), the largest 1.

    Targets are masked by Eq. 2, rare ones far more often than they occur, and a model trained so believes in rare ones.
    Bayes' rule takes that back: the share of an attribute in the classes over its share among the masked targets.
    Attributes no seen class has, which were never masked, get 0.

    Args:
        present: (C, A) bool, degree: (C, A) in 0…1, of the seen classes.
        probabilities: (C, A) of being the target (Eq. 2).
    """
    asked = probabilities.mean(dim=0)
    share = (present * degree).mean(dim=0)
    correction = torch.where(asked > 0, share / asked.clamp(min=1e-12), 0.0)
    return (correction / correction.max()).float()
