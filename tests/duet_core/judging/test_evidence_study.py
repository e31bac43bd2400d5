"""The study finds the evidence that is better by construction, without a look at what it may not choose on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from duet_core.classes import FloatArray, IntArray
from duet_core.judging.evidence_scores import Known, evidence_scores
from duet_core.judging.evidence_study import Material, choose, fit_threshold, foreign_halves, report, report_rejection
from duet_core.judging.photos import Photos

GENERATOR = np.random.default_rng(3)
MEAN = np.abs(GENERATOR.normal(size=12)) + 1
Z = MEAN + GENERATOR.normal(size=(10, 12))
Z /= np.linalg.norm(Z, axis=1, keepdims=True)


def photos(v: FloatArray, label: IntArray) -> Photos:
    return Photos(v.astype(np.float32), v[:, :4].astype(np.float32), label)


def of_classes(rows: list[int], each: int) -> Photos:
    label = np.repeat(rows, each)
    return photos(6 * Z[label] + 0.6 * GENERATOR.normal(size=(len(label), 12)), label)


@pytest.fixture(scope="module")
def material() -> Material:
    """Foreign pictures are like the mean class, a part of every bird, and like no class beside that."""
    foreign = 6 * MEAN / np.linalg.norm(MEAN) + 0.5 * GENERATOR.normal(size=(60, 12))
    return Material(
        z=Z,
        seen=of_classes(list(range(6)), 20),
        unseen=of_classes([6, 7, 8, 9], 20),
        seen_classes=np.arange(6),
        unseen_classes=np.arange(6, 10),
        foreign=photos(foreign, np.full(60, -1)),
        kinds=("a",) * 30 + ("b",) * 30,
        sources=tuple(f"s{i // 3}" for i in range(60)),
        choose_unseen=False,
    )


def test_the_better_evidence_is_chosen(material: Material) -> None:
    known = Known(seen_z=Z[:6], temperature=0.5, train=of_classes(list(range(6)), 30))
    scores = {name: score for name, score in evidence_scores(known).items() if "cosine" in name and "+" not in name}
    best, chosen_on = choose(material, scores)
    assert best == "centred_cosine"
    assert chosen_on.splitlines()[-1].startswith("| centred_cosine |")
    shown = report(material, scores).splitlines()
    assert len(shown) == 4


def test_unseen_photos_of_a_test_split_are_not_chosen_on(material: Material) -> None:
    scores = evidence_scores(Known(seen_z=Z[:6], temperature=0.5, train=None))
    spoiled = dataclasses.replace(material, unseen=photos(np.full((80, 12), np.nan), material.unseen.label))
    assert choose(material, scores) == choose(spoiled, scores)


def test_parts_of_one_picture_stay_together(material: Material) -> None:
    first, second = foreign_halves(material)
    sources = np.array(material.sources)
    assert not set(sources[first]) & set(sources[second])
    assert (first ^ second).all()


def test_the_false_reject_rate_is_kept_and_pictures_are_counted(material: Material) -> None:
    scores = evidence_scores(Known(seen_z=Z[:6], temperature=0.5, train=None))
    score = scores["centred_cosine"]
    threshold = fit_threshold(material, score, 0.1)
    rows = [line.split(" | ") for line in report_rejection(material, score, threshold).splitlines()]
    assert rows[2][1] == "60"
    assert float(rows[2][3].strip(" |")) == pytest.approx(0.1, abs=0.08)
    assert [row[0] for row in rows[4:]] == ["| a", "| b"]
    assert float(rows[4][3].strip(" |")) > 0.3
