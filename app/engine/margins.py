"""Margins of a class space's labelled photos, computed once for each snapshot, γ and choice of candidates."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from app.engine.labelled import Labelled
from app.registry.snapshot import Snapshot
from duet_core.classes import BoolArray
from duet_core.runtime import Candidates
from duet_core.runtime.conformal import DoubleArray, margins

MOST_KEPT = 64


@dataclass(frozen=True)
class Question:
    """What sets depend on beside the photo: the snapshot, γ and which classes compete."""

    snapshot: Snapshot
    gamma: float
    candidates: Candidates


@dataclass(frozen=True, eq=False)
class Margins:
    """Margins (N,) of the labelled photos whose class is a candidate, and whether those classes are seen (N,)."""

    found: DoubleArray
    seen: BoolArray


class MarginCache:
    """Scoring thousands of labelled photos against many classes takes seconds; it is done when one of them changes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, float], tuple[Labelled, Snapshot, Margins]] = OrderedDict()
        self._lock = asyncio.Lock()

    async def of(self, labelled: Labelled, question: Question) -> Margins:
        """The margins; off the event loop where they are not known."""
        known = self._known(labelled, question)
        if known is not None:
            return known
        async with self._lock:
            known = self._known(labelled, question)
            if known is None:
                known = await asyncio.to_thread(margins_of, labelled, question)
                self._kept[self._key(question)] = labelled, question.snapshot, known
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return known

    def _known(self, labelled: Labelled, question: Question) -> Margins | None:
        kept = self._kept.get(self._key(question))
        fits = kept is not None and kept[0] is labelled and kept[1] is question.snapshot
        return kept[2] if kept is not None and fits else None

    @staticmethod
    def _key(question: Question) -> tuple[str, str, float]:
        return question.snapshot.space, question.candidates, question.gamma


def margins_of(labelled: Labelled, question: Question) -> Margins:
    """What is promised is for photos whose class is a candidate, so photos of other classes are left out.

    A photo given several times counts once: copies would promise what only as many different photos can.
    """
    classes = question.snapshot.classes
    candidates = classes.rows(question.candidates)
    rows = np.array([-1 if (row := classes.row(name)) is None else row for name in labelled.class_ids], dtype=np.int64)
    kept = np.isin(rows, candidates)
    _, first = np.unique(labelled.v, axis=0, return_index=True)
    kept &= np.isin(np.arange(len(rows)), first)
    chosen = rows[kept]
    found = margins(labelled.v[kept], chosen, classes, gamma=question.gamma, candidates=question.candidates)
    return Margins(found, classes.seen[chosen])
