"""What the masks are filled with: the three best attributes of every prompt set (Eq. 26, A.4).

The scores are those of the bundle's `grounding.onnx`; how it makes them of word pieces is told in
`duet_core/export/folding.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray


@dataclass(frozen=True)
class GroundedAttribute:
    """One filling of a mask. `score` is its share among the attributes kept, in 0…1."""

    key: str
    name: str
    score: float


@dataclass(frozen=True)
class GroundedSet:
    """The best attributes of one prompt set, best first; their scores sum to 1."""

    prompt: str
    attributes: tuple[GroundedAttribute, ...]


def ground(attribute_scores: FloatArray, schema: AttributeSchema, *, best: int = 3) -> tuple[GroundedSet, ...]:
    """The `best` attributes of each of the k prompt sets, their scores divided by their sum (Eq. 26).

    Args:
        attribute_scores: (A,) from `Encoder.attribute_scores`, none below 0, some above 0 in every set.

    Raises:
        ValueError: wrong length, negative or not finite, or a set whose scores are all 0.
    """
    scores = np.asarray(attribute_scores, dtype=np.float64)
    if scores.shape != (len(schema),) or not np.isfinite(scores).all() or (scores < 0).any():
        raise ValueError(f"attribute scores {scores.shape}; {len(schema)} finite numbers of at least 0 are needed")
    grounded = []
    for prompt, members in zip(schema.prompts, schema.prompt_sets, strict=True):
        rows = sorted(members, key=lambda row: -scores[row])[:best]
        total = float(scores[rows].sum())
        if total == 0:
            raise ValueError(f"prompt set {prompt!r}: all attribute scores are 0; one must be above 0")
        grounded.append(
            GroundedSet(
                prompt,
                tuple(
                    GroundedAttribute(schema.keys[row], schema.attributes[row].name, float(scores[row]) / total)
                    for row in rows
                ),
            )
        )
    return tuple(grounded)
