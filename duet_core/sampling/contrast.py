"""Contrastive partners of each anchor: classes, attributes and training photos (Eqs. 16-20)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from duet_core.attributes import AttributeSchema

Candidates = Literal["eq17", "disjoint"]
ClassWeighting = Literal["linear", "squared", "softmax"]
Distance = Literal["manhattan", "euclidean", "cosine"]

_ROUNDING = 1e-12
"""Cosine distances below it are of equal directions."""
LEAST_PHOTOS = 4
"""Photos a class must have: those drawn when it is the only negative class of an anchor."""


@dataclass(frozen=True)
class Partners:
    """Partners of the M anchors that have both a positive and a negative class.

    The five columns are one photo of c+, two of the first c- and two of the second c-.

    Attributes:
        anchor: (M,) int64 rows of the batch, rising.
        image: (M, 5) int64 data set rows, no photo twice in a row.
        class_index: (M, 5) int64 class rows; the two c- are the same class where only one is a candidate.
        target: (M, 5) int64 attributes: a_t for c+, the chosen a_t- for each c-.
        skipped: number of anchors left out because they have no candidate.
    """

    anchor: Tensor
    image: Tensor
    class_index: Tensor
    target: Tensor
    skipped: int


class ContrastSampler:
    """Draws contrastive partners from the training photos, from tables computed once.

    For an anchor of class c with target t in prompt set P, A_c the attributes present in class c, and c, c+, c-
    different training classes:

        C+ = {c' : t in A_c'}                                               (16)
        C- = {c' : t not in A_c', and some u of P is in A_c' but not in A_c}     (17)
        Dist(c, c') = Σ_i |degree_i(c) - degree_i(c')|,  Sim = 1 / Dist     (18)
        p(c- = c') = Sim(c, c')² / Σ over C- of Sim²                        (19)
        p(c+ = c') = Dist(c, c')² / Σ over C+ of Dist²                      (20)

    so that c+ looks unlike c but for the target, and c- like c but for it. The attribute of c- is one such u, drawn
    uniformly. Two c- are drawn without repetition.

    Distances (Eq. 18) are floored at the smallest positive distance between two classes: two classes of equal degrees
    count as near as the nearest pair that can be told apart. Sim = 1 / Dist stays finite and every candidate keeps a
    probability above 0.

    The variants of A.7: `distance` "euclidean" and "cosine" have √Σ(…)² and 1 - cos of the degrees for Dist;
    `class_weighting` "linear" and "softmax" draw c- by Sim or e^Sim, c+ by Dist or e^Dist.

    Attributes:
        distance: (C, C) float64 Dist of Eq. 18, or of its variant, with this floor.
    """

    def __init__(
        self,
        *,
        schema: AttributeSchema,
        present: Tensor,
        degree: Tensor,
        images_of_class: Sequence[Tensor],
        candidates: Candidates = "eq17",
        class_weighting: ClassWeighting = "squared",
        distance: Distance = "manhattan",
    ) -> None:
        """Compute the tables.

        Args:
            schema: A attributes in prompt sets.
            present: (C, A) bool, the attribute sets of the training classes; rows 0…C-1 are the sampler's own count.
            degree: (C, A) degrees in 0…1.
            images_of_class: for each class its training photos as data set rows, at least 4.
            candidates: "eq17" for negatives as in Eqs. 16 and 17; "disjoint" as in the authors' code, where c- shares
                no attribute of the target's prompt set with c.
            class_weighting, distance: Eqs. 18-20 or their variants, see the class.

        Raises:
            ValueError: the shapes do not belong together, a class has fewer than 4 photos or one twice, or an unknown
                switch.
        """
        _check(schema, present, degree, images_of_class)
        for name, value, allowed in (
            ("candidates", candidates, Candidates),
            ("class_weighting", class_weighting, ClassWeighting),
            ("distance", distance, Distance),
        ):
            if value not in get_args(allowed):
                raise ValueError(f"got {name} {value!r}; allowed are {', '.join(get_args(allowed))}")
        self.distance = _distance(degree, distance)
        self._is_softmax = class_weighting == "softmax"
        self._far = (
            self.distance.square() if class_weighting == "squared" else self.distance
        )  # (C, C) c+ is drawn by it
        self._near = 1 / self._far  # (C, C) c- is
        self._present = present
        self._set_of = torch.tensor(schema.prompt_index)  # (A,)
        self._negative_of = _negative_table(schema, present, candidates)  # (k, C, C)
        self._photos = torch.nn.utils.rnn.pad_sequence(list(images_of_class), batch_first=True, padding_value=-1)

    def positive_candidates(self, class_index: Tensor, target: Tensor) -> Tensor:
        """C+ as (B, C) bool: other classes that have the target as well (Eq. 16)."""
        own = class_index[:, None] == torch.arange(len(self._present))
        return self._present.T[target] & ~own

    def negative_candidates(self, class_index: Tensor, target: Tensor) -> Tensor:
        """C- as (B, C) bool: classes without the target, but with an attribute of its set that c lacks (Eq. 17)."""
        return self._negative_of[self._set_of[target], class_index] & ~self._present.T[target]

    def sample(self, class_index: Tensor, target: Tensor, generator: torch.Generator) -> Partners:
        """Draw partners: c+ by Eq. 20, two different c- by Eq. 19, a_t- and photos uniformly.

        Args:
            class_index: (B,) int64 class row of each anchor.
            target: (B,) int64 target attribute a_t of each anchor, present in its class.
            generator: the source of randomness.

        Raises:
            ValueError: a target that is not present in its class.
        """
        absent = (~self._present[class_index, target]).nonzero().flatten()
        if absent.numel():
            row = int(absent[0])
            raise ValueError(
                f"anchor {row}: target {int(target[row])} is not present in class row {int(class_index[row])}; "
                "a target is one of its class's own attributes"
            )
        positives = self.positive_candidates(class_index, target)  # (B, C)
        negatives = self.negative_candidates(class_index, target)
        anchor = (positives.any(dim=1) & negatives.any(dim=1)).nonzero().squeeze(1)  # (M,)
        own, asked = class_index[anchor], target[anchor]
        like = _draw(self._weight(self._far[own], positives[anchor]), generator)  # (M,) c+, Eq. 20
        first, second = self._draw_two(self._near[own], negatives[anchor], generator)  # (M,) each, c-, Eq. 19
        other = [self._draw_attribute(own, asked, rival, generator) for rival in (first, second)]
        return Partners(
            anchor=anchor,
            image=self._draw_photos(like, first, second, generator),
            class_index=torch.stack([like, first, first, second, second], dim=1),
            target=torch.stack([asked, other[0], other[0], other[1], other[1]], dim=1),
            skipped=len(class_index) - len(anchor),
        )

    def sample_positive(self, class_index: Tensor, anchor_image: Tensor, generator: torch.Generator) -> Tensor:
        """Draw for each anchor another photo of its class, uniformly: the positives of L_con (Eq. 10).

        Args:
            class_index: (B,) int64 class row of each anchor.
            anchor_image: (B,) int64 data set row of each anchor, one of its class's training photos.
            generator: the source of randomness.

        Returns:
            (B,) int64 data set rows, never the anchor's own.

        Raises:
            ValueError: an anchor that is not a training photo of its class.
        """
        itself = self._photos[class_index] == anchor_image[:, None]  # (B, photos)
        stray = (~itself.any(dim=1)).nonzero().flatten()
        if stray.numel():
            row = int(stray[0])
            raise ValueError(
                f"anchor {row}: image {int(anchor_image[row])} is no training photo of class row "
                f"{int(class_index[row])}; draw anchors from the photos the sampler was given"
            )
        return self._shuffled(class_index, 1, generator, without=itself).squeeze(1)

    def _weight(self, value: Tensor, candidates: Tensor) -> Tensor:
        """Weights (M, C) of the candidates (M, C), 0 for others, from Sim or Dist (M, C), squared where asked for."""
        if not self._is_softmax:
            return value * candidates
        barred = value.masked_fill(~candidates, -torch.inf)
        return (barred - barred.amax(dim=1, keepdim=True)).exp()  # the largest is 1: e^Sim alone may overflow

    def _draw_two(self, value: Tensor, candidates: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two candidates (M,) without replacement; twice the same where the row has only one."""
        first = _draw(self._weight(value, candidates), generator)
        rest = candidates.scatter(1, first[:, None], False)  # (M, C)
        alone = ~rest.any(dim=1, keepdim=True)
        return first, _draw(self._weight(value, torch.where(alone, candidates, rest)), generator)

    def _draw_attribute(self, own: Tensor, asked: Tensor, rival: Tensor, generator: torch.Generator) -> Tensor:
        """a_t- (M,): an attribute of the target's set present in the rival class and not in the anchor's (Eq. 17)."""
        same_set = self._set_of[asked][:, None] == self._set_of  # (M, A)
        return _draw((same_set & self._present[rival] & ~self._present[own]).double(), generator)

    def _draw_photos(self, like: Tensor, first: Tensor, second: Tensor, generator: torch.Generator) -> Tensor:
        """Photos (M, 5) of one c+ and two c-, none twice."""
        positive = self._shuffled(like, 1, generator)
        four = self._shuffled(first, 4, generator)
        two = self._shuffled(second, 2, generator)
        alone = (first == second)[:, None]
        return torch.cat([positive, four[:, :2], torch.where(alone, four[:, 2:], two)], dim=1)

    def _shuffled(
        self, classes: Tensor, count: int, generator: torch.Generator, without: Tensor | None = None
    ) -> Tensor:
        """`count` different photos (M, count) of each class, every ordered choice equally likely."""
        photos = self._photos[classes]  # (M, photos), -1 after the last
        barred = photos < 0 if without is None else (photos < 0) | without
        keys = torch.rand(photos.shape, generator=generator).masked_fill(barred, torch.inf)
        return photos.gather(1, keys.topk(count, dim=1, largest=False).indices)


def _check(schema: AttributeSchema, present: Tensor, degree: Tensor, images_of_class: Sequence[Tensor]) -> None:
    classes = len(images_of_class)
    if present.shape != (classes, len(schema)) or degree.shape != present.shape or present.dtype != torch.bool:
        raise ValueError(
            f"got present {tuple(present.shape)} {present.dtype}, degree {tuple(degree.shape)}, photos of {classes} "
            f"classes, {len(schema)} attributes; expected (C, A) torch.bool, (C, A), C and A, such as C 100, A 312"
        )
    for row, images in enumerate(images_of_class):
        if len(set(images.tolist())) < max(LEAST_PHOTOS, len(images)):
            raise ValueError(
                f"class row {row} has photos {images.tolist()[:8]}; a training class needs at least {LEAST_PHOTOS} "
                "photos, none twice, for example [10, 11, 12, 13]"
            )


def _distance(degree: Tensor, kind: Distance) -> Tensor:
    """Dist (C, C) float64: the sum over the attributes of |difference of degrees| (Eq. 18) or a variant of it, floored
    above 0.
    """
    rows = degree.double()
    if kind == "cosine":
        unit = torch.nn.functional.normalize(rows, dim=1)
        distance = 1 - unit @ unit.T
        distance = distance.masked_fill(distance < _ROUNDING, 0.0)
    else:
        exact = "donot_use_mm_for_euclid_dist"  # which would round small distances away
        distance = torch.cdist(rows, rows, p=1 if kind == "manhattan" else 2, compute_mode=exact)
    apart = distance[distance > 0]
    return distance.clamp(min=float(apart.min()) if apart.numel() else 1.0)


def _negative_table(schema: AttributeSchema, present: Tensor, candidates: Candidates) -> Tensor:
    """(k, C, C) bool: in prompt set m, may c' be a negative class of c, whatever the target (Eq. 17)?"""
    tables = []
    for rows in schema.prompt_sets:
        have = present[:, rows].double()  # (C, members)
        table = (1 - have) @ have.T > 0  # c' has an attribute that c lacks
        if candidates == "disjoint":
            table &= have @ have.T == 0
        tables.append(table)
    return torch.stack(tables)


def _draw(weight: Tensor, generator: torch.Generator) -> Tensor:
    """One column (M,) of each row of weights (M, X), with probability proportional to its weight."""
    if not len(weight):
        return torch.empty(0, dtype=torch.int64)
    return torch.multinomial(weight, 1, generator=generator).squeeze(1)
