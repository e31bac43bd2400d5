"""How good a grounding is: how often the best attribute of a prompt set is one that the photo's class has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from duet_core.attributes import AttributeSchema
from duet_core.classes import BoolArray, FloatArray, IntArray


def best_attributes(scores: FloatArray, schema: AttributeSchema) -> IntArray:
    """(n, k) the attribute with the highest score in each of the k prompt sets, from scores (n, A)."""
    best = [np.asarray(rows)[scores[:, rows].argmax(axis=1)] for rows in map(list, schema.prompt_sets)]
    return np.stack(best, axis=1).astype(np.int64)


def grounding_precision(scores: FloatArray, present: BoolArray, schema: AttributeSchema) -> float:
    """Share, in 0…1, of (photo, prompt set) pairs whose best attribute is present in the photo's class.

    Args:
        scores: (n, A) attribute scores of Eq. 26; (1, A) judges the same answer for every photo.
        present: (n, A) attributes present in the class of each photo.
        schema: groups the attributes into prompt sets.
    """
    best = np.broadcast_to(best_attributes(scores, schema), (len(present), len(schema.prompts)))  # (n, k)
    hits: NDArray[np.bool_] = np.take_along_axis(present, best, axis=1)
    return float(hits.mean())
