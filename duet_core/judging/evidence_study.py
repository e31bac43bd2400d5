"""Which evidence decides "none of these": chosen on one half of the photos and pictures, reported on the other.

Three questions: is a picture of no bird told from photos of the classes; is a bird of another class; and are both when
there is a single candidate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from duet_core.calibration import rejection_threshold
from duet_core.classes import BoolArray, IntArray
from duet_core.judging.curves import auroc
from duet_core.judging.evidence_scores import Score
from duet_core.judging.photos import Photos
from duet_core.judging.tables import table

DoubleArray = NDArray[np.float64]

_HALVINGS = 5


@dataclass(frozen=True)
class Material:
    """Photos to judge evidence with.

    Attributes:
        z: (C, A) class vectors of all classes.
        seen, unseen: photos of held-out photos of seen classes, and of unseen classes.
        seen_classes, unseen_classes: global class rows; the candidates.
        foreign: pictures of no class.
        kinds, sources: (N,) group and origin of each.
        choose_unseen: whether photos of unseen classes may be chosen on (validation), or are only reported (test).
    """

    z: DoubleArray
    seen: Photos
    unseen: Photos
    seen_classes: IntArray
    unseen_classes: IntArray
    foreign: Photos
    kinds: tuple[str, ...]
    sources: tuple[str, ...]
    choose_unseen: bool

    @property
    def everything(self) -> IntArray:
        """All candidates, seen first."""
        return np.concatenate([self.seen_classes, self.unseen_classes])


def halves(count: int) -> tuple[BoolArray, BoolArray]:
    """Every other photo: to choose on, and to report on."""
    even = np.arange(count) % 2 == 0
    return even, ~even


def foreign_halves(material: Material) -> tuple[BoolArray, BoolArray]:
    """Every other source, so that parts of one picture stay together."""
    order = {source: place for place, source in enumerate(dict.fromkeys(material.sources))}
    even = np.array([order[source] % 2 == 0 for source in material.sources])
    return even, ~even


def choose(material: Material, scores: dict[str, Score]) -> tuple[str, str]:
    """The evidence with the highest mean of the AUROCs on the half to choose on; and the table of that half."""
    seen, _ = halves(len(material.seen))
    foreign, _ = foreign_halves(material)
    known = material.seen[seen]
    if material.choose_unseen:
        known = _joined(known, material.unseen[halves(len(material.unseen))[0]])
    rows: list[Sequence[str | float]] = []
    for name, score in scores.items():
        candidates = material.everything if material.choose_unseen else material.seen_classes
        z = material.z[candidates]
        no_bird = _over_kinds(score(known, z), material, score(material.foreign, z), foreign)
        other = float(np.mean([_other_class(known, material.z, part, score) for part in _class_halves(candidates)]))
        single = _single(known, material, score, known, foreign, candidates)
        rows.append([name, no_bird, other, *single, float(np.mean([no_bird, other, *single]))])
    rows.sort(key=lambda row: row[-1])
    head = ("evidence", "no bird", "other birds", "one class: no bird", "one class: other birds", "mean")
    return str(rows[-1][0]), table(head, rows)


def report(material: Material, scores: dict[str, Score]) -> str:
    """The same questions on the other half. Photos of unseen classes are the known ones, or the other birds."""
    _, seen = halves(len(material.seen))
    _, foreign = foreign_halves(material)
    known_seen = material.seen[seen]
    known_unseen = material.unseen
    if material.choose_unseen:
        known_unseen = material.unseen[halves(len(material.unseen))[1]]
    z = material.z[material.everything]
    rows: list[Sequence[str | float]] = []
    for name, score in scores.items():
        values = score(material.foreign, z)
        seen_z = material.z[material.seen_classes]
        rows.append(
            [
                name,
                _over_kinds(score(known_seen, z), material, values, foreign),
                _over_kinds(score(known_unseen, z), material, values, foreign),
                auroc(score(known_seen, seen_z), score(known_unseen, seen_z)),
                *_single(known_unseen, material, score, known_unseen, foreign, material.unseen_classes),
            ]
        )
    head = ("evidence", "no bird, against seen", "no bird, against unseen", "unseen birds, against seen")
    return table((*head, "one unseen class: no bird", "one unseen class: other birds"), rows)


def fit_threshold(material: Material, score: Score, rate: float) -> float:
    """The threshold with this false-reject rate on the photos to choose on."""
    choose_seen, _ = halves(len(material.seen))
    z = material.z[material.everything]
    values, weight = score(material.seen[choose_seen], z), None
    if material.choose_unseen:
        more = score(material.unseen[halves(len(material.unseen))[0]], z)
        weight = np.repeat([0.5 / len(values), 0.5 / len(more)], [len(values), len(more)])
        values = np.concatenate([values, more])
    return rejection_threshold(values, rate, weight)


def report_rejection(material: Material, score: Score, threshold: float) -> str:
    """What is refused at a threshold, of the photos and pictures to report on."""
    _, report_seen = halves(len(material.seen))
    _, foreign = foreign_halves(material)
    z = material.z[material.everything]
    unseen = material.unseen[halves(len(material.unseen))[1]] if material.choose_unseen else material.unseen
    known = score(material.seen[report_seen], z), score(unseen, z)
    rows: list[Sequence[str | float]] = [
        ["photos of seen classes (wrongly)", len(known[0]), "", _below(known[0], threshold)],
        ["photos of unseen classes (wrongly)", len(known[1]), "", _below(known[1], threshold)],
    ]
    found = score(material.foreign, z)
    for kind in dict.fromkeys(material.kinds):
        part = found[foreign & (np.array(material.kinds) == kind)]
        rows.append([kind, len(part), auroc(np.concatenate(known), part), _below(part, threshold)])
    return table(("pictures", "number", "AUROC against known photos", f"refused at threshold {threshold:.3f}"), rows)


def _below(values: DoubleArray, threshold: float) -> float:
    return float((values < threshold).mean())


def _over_kinds(known: DoubleArray, material: Material, values: DoubleArray, chosen: BoolArray) -> float:
    """Mean AUROC over the groups of foreign pictures, so that a large group does not decide."""
    kinds = np.array(material.kinds)
    return float(np.mean([auroc(known, values[chosen & (kinds == kind)]) for kind in dict.fromkeys(material.kinds)]))


def _class_halves(candidates: IntArray) -> Iterator[IntArray]:
    generator = np.random.default_rng(0)
    for _ in range(_HALVINGS):
        yield np.sort(generator.permutation(candidates)[: len(candidates) // 2])


def _other_class(photos: Photos, z: DoubleArray, candidates: IntArray, score: Score) -> float:
    """Photos of the candidates against photos of classes that are none."""
    inside = np.isin(photos.label, candidates)
    values = score(photos, z[candidates])
    return auroc(values[inside], values[~inside])


def _single(
    photos: Photos, material: Material, score: Score, others: Photos, foreign: BoolArray, classes: IntArray
) -> tuple[float, float]:
    """Each class as the only candidate: its photos against foreign pictures, and against photos of other classes."""
    no_bird, other = [], []
    strange = material.foreign[foreign]
    for row in classes:
        own = photos[photos.label == row]
        if not len(own):
            continue
        z = material.z[[row]]
        values = score(own, z)
        no_bird.append(auroc(values, score(strange, z)))
        other.append(auroc(values, score(others[others.label != row], z)))
    return float(np.mean(no_bird)), float(np.mean(other))


def _joined(first: Photos, second: Photos) -> Photos:
    parts = ((getattr(one, name) for one in (first, second)) for name in ("v", "state", "label"))
    return Photos(*(np.concatenate(list(part)) for part in parts))
