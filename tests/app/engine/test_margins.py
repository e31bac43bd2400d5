"""Margins are computed once, and anew as soon as the classes, the labelled photos, γ or the candidates are others."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest

from app.engine import margins as module
from app.engine.labelled import Labelled
from app.engine.margins import MarginCache, Margins, Question, margins_of
from app.registry.snapshot import SeenClasses, empty_snapshot
from app.registry.store import Head
from duet_core.classes import unit_rows
from duet_core.runtime import ClassSet

Z = unit_rows(np.random.default_rng(0).random((5, 6)).astype(np.float32))
CLASSES = ClassSet(ids=tuple("abcde"), labels=tuple("ABCDE"), seen=np.array([True, True, True, False, False]), z=Z)
SEEN = SeenClasses(classes=CLASSES, degrees=Z, schema="x")
SNAPSHOT = empty_snapshot("s", SEEN)
LABELLED = Labelled(3, np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32), ("a", "d", "gone", "c"))


def test_photos_of_other_classes_are_left_out() -> None:
    everything = margins_of(LABELLED, Question(SNAPSHOT, 0.2, "all"))
    assert everything.seen.tolist() == [True, False, True]
    scores = (Z @ LABELLED.v[1]) - 0.2 * CLASSES.seen
    assert everything.found[1] == pytest.approx(scores.max() - scores[3], abs=1e-6)
    assert margins_of(LABELLED, Question(SNAPSHOT, 0.2, "unseen")).seen.tolist() == [False]


def test_copies_of_a_photo_count_once() -> None:
    twice = Labelled(3, np.concatenate([LABELLED.v, LABELLED.v[:2]]), (*LABELLED.class_ids, *LABELLED.class_ids[:2]))
    question = Question(SNAPSHOT, 0.2, "all")
    assert margins_of(twice, question).found.tolist() == margins_of(LABELLED, question).found.tolist()


def test_they_are_computed_when_something_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[Question] = []

    def counted(labelled: Labelled, question: Question) -> Margins:
        computed.append(question)
        return margins_of(labelled, question)

    monkeypatch.setattr(module, "margins_of", counted)

    async def ask() -> None:
        cache, question = MarginCache(), Question(SNAPSHOT, 0.2, "all")
        first = await asyncio.gather(*(cache.of(LABELLED, question) for _ in range(5)))
        assert len({id(one) for one in first}) == len(computed) == 1
        newer = dataclasses.replace(SNAPSHOT, head=Head(SNAPSHOT.head.epoch, 4))
        for changed in (Question(newer, 0.2, "all"), Question(SNAPSHOT, 0.3, "all"), Question(SNAPSHOT, 0.2, "seen")):
            before = len(computed)
            await cache.of(LABELLED, changed)
            await cache.of(LABELLED, changed)
            assert len(computed) == before + 1
        before = len(computed)
        await cache.of(dataclasses.replace(LABELLED), question)
        assert len(computed) == before + 1

    asyncio.run(ask())
