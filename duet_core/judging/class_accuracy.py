"""The accuracy of each class, of whose mean T1, U and S are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duet_core.judging.held_out import HeldOut
from duet_core.judging.names import readable


@dataclass(frozen=True)
class ClassAccuracy:
    """One class of a split.

    Attributes:
        name: as people read it.
        seen: whether it was trained with.
        photos: held-out photos of it.
        all_compete: share of them recognised among all classes, γ off the seen ones (GZSL).
        own_group: share recognised among the classes of its own group only; CZSL for an unseen class.
    """

    name: str
    seen: bool
    photos: int
    all_compete: float
    own_group: float


def class_accuracies(held_out: HeldOut) -> list[ClassAccuracy]:
    """One entry a class, seen ones first, each group the best recognised first. Their means are S, U and T1."""
    right, right_in_group = held_out.predicted == held_out.label, held_out.predicted_in_group == held_out.label
    found = []
    for place, row in enumerate(held_out.candidates):
        of_class = held_out.label == row
        found.append(
            ClassAccuracy(
                name=readable(held_out.benchmark.classes.names[row]),
                seen=place < len(held_out.split.seen_classes),
                photos=int(of_class.sum()),
                all_compete=float(np.mean(right[of_class])),
                own_group=float(np.mean(right_in_group[of_class])),
            )
        )
    return sorted(found, key=lambda one: (not one.seen, -one.all_compete, -one.own_group, one.name))
