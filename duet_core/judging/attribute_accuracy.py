"""How well each v_i tells photos of classes with attribute i from photos of classes without it.

For attribute i and one group of photos: the AUROC of v_i, positives being the photos of classes of the group that have
i (A_c, `present`), negatives those of its other classes. It is the chance that a photo of a class with the attribute
has the higher v_i, ties counting half; 0.5 is guessing. What a photo really shows is not known: degrees are told of
classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duet_core.judging.curves import auroc
from duet_core.judging.held_out import HeldOut


@dataclass(frozen=True)
class AttributeAccuracy:
    """One attribute: AUROC on photos of seen and of unseen classes; None where all or no classes of the group have it.

    `classes_seen` and `classes_unseen` count the classes of either group that have the attribute.
    """

    key: str
    prompt: str
    name: str
    seen: float | None
    unseen: float | None
    classes_seen: int
    classes_unseen: int


def attribute_accuracies(held_out: HeldOut) -> list[AttributeAccuracy]:
    """One entry for each of the A attributes, in schema order."""
    present, schema = held_out.benchmark.classes.present, held_out.benchmark.schema
    groups = (
        (held_out.seen, held_out.split.seen_classes),
        (held_out.unseen, held_out.split.unseen_classes),
    )
    found = []
    for row, attribute in enumerate(schema.attributes):
        values: list[float | None] = []
        for photos, _ in groups:
            has = present[photos.label, row]
            both = bool(has.any()) and not bool(has.all())
            values.append(auroc(photos.v[has, row], photos.v[~has, row]) if both else None)
        counts = [int(present[classes, row].sum()) for _, classes in groups]
        found.append(
            AttributeAccuracy(
                attribute.key, attribute.prompt, attribute.name, values[0], values[1], counts[0], counts[1]
            )
        )
    return found


@dataclass(frozen=True)
class PromptAccuracy:
    """A prompt set: mean AUROC of its attributes that have one, on either group; None when none has."""

    prompt: str
    attributes: int
    seen: float | None
    unseen: float | None


def prompt_accuracies(attributes: list[AttributeAccuracy]) -> list[PromptAccuracy]:
    """One entry a prompt set, the best on unseen classes first."""
    found = []
    for prompt in dict.fromkeys(one.prompt for one in attributes):
        members = [one for one in attributes if one.prompt == prompt]
        seen = _mean([one.seen for one in members])
        unseen = _mean([one.unseen for one in members])
        found.append(PromptAccuracy(prompt, len(members), seen, unseen))
    return sorted(found, key=lambda one: -(one.unseen if one.unseen is not None else -1.0))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
