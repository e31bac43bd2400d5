"""Why not another class, and what would have to be different for it to be the answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.api.answers import AttributeEdit, Contrast, Difference, Edits
from app.registry.snapshot import Snapshot
from duet_core.classes import FloatArray
from duet_core.runtime import Prediction, contributions
from duet_core.runtime.counterfactual import Edit, fewest_photo_edits
from duet_core.runtime.degree_edits import degree_edits


def contrast(v: FloatArray, snapshot: Snapshot, row: int, other: int, gamma: float, keys: Sequence[str]) -> Contrast:
    """The difference of the scores of two classes, attribute by attribute.

    Args:
        v: (A,) predicted attributes.
        row, other: rows of the class explained and of the one asked about.
        keys: (A,) names of the attributes.
    """
    classes = snapshot.classes
    z, z_other = classes.vector(row), classes.vector(other)
    first, second = contributions(v, z), contributions(v, z_other)
    parts = first - second
    seen, seen_other = bool(classes.seen[row]), bool(classes.seen[other])
    score, score_other = float(first.sum()), float(second.sum())
    gamma_difference = gamma * (seen_other - seen)
    return Contrast(
        versus=classes.class_id(other),
        label=classes.label(other),
        seen=seen_other,
        score=score_other,
        calibrated_score=score_other - gamma * seen_other,
        score_difference=score - score_other,
        gamma_difference=gamma_difference,
        calibrated_difference=score - score_other + gamma_difference,
        contributions=[
            Difference(
                attribute=keys[i],
                v=float(v[i]),
                z=float(z[i]),
                z_versus=float(z_other[i]),
                contribution=float(parts[i]),
            )
            for i in np.argsort(-parts, kind="stable")
        ],
    )


def edits_for(
    v: FloatArray, snapshot: Snapshot, class_id: str, best: Prediction, gamma: float, keys: Sequence[str]
) -> Edits:
    """The fewest edits with which a class would be the answer in the place of the best one.

    Against a target of 0 or below degrees are not edited: where even the answer fits that badly, nothing is explained.
    """
    classes = snapshot.classes
    row, leader = classes.row(class_id), classes.row(best.class_id)
    assert row is not None
    assert leader is not None
    if class_id == best.class_id:
        return Edits(class_id=class_id, instead_of=class_id, class_degrees=[], photo_attributes=[])
    own_handicap = gamma * float(classes.seen[row])
    target = best.calibrated_score + own_handicap  # the score with which it would draw level
    degrees = degree_edits(v, snapshot.degrees(class_id), target, classes.metric) if target > 0 else None
    needed = target - float(contributions(v, classes.vector(row)).sum())
    strongest = np.linalg.norm(classes.metric.photo_coordinates(v)) * classes.metric.perfect(classes.z).max(axis=0)
    photo = fewest_photo_edits(v, classes.vector(row) - classes.vector(leader), needed, strongest)
    return Edits(
        class_id=class_id,
        instead_of=best.class_id,
        class_degrees=_named(degrees, keys),
        photo_attributes=_named(photo, keys),
    )


def _named(edits: tuple[Edit, ...] | None, keys: Sequence[str]) -> list[AttributeEdit] | None:
    if edits is None:
        return None
    return [AttributeEdit(attribute=keys[edit.row], before=edit.before, after=edit.after) for edit in edits]
