"""`duet decisions`: how far refusals, probabilities and sets of classes of a bundle can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from duet_core.benchmarks import Benchmark, Split, load_xlsa17
from duet_core.commands.location import bundle_folder
from duet_core.judging.curves import draw_curves
from duet_core.judging.evidence_scores import Known, Score, evidence_scores
from duet_core.judging.evidence_study import Material, choose, fit_threshold, report, report_rejection
from duet_core.judging.foreign import foreign_pictures
from duet_core.judging.held_out import check_split
from duet_core.judging.photos import Photos, encode, encode_rows, scenery, whole_photos
from duet_core.judging.probability_study import calibration_error, compare_sets, judge_sets, risk_curves
from duet_core.runtime import Bundle, Encoder, open_bundle
from duet_core.runtime.metric import Metric

_EVERY = 4
"""Of the training photos every fourth is enough for the statistics of the scores that need some."""


def run(
    data: Path,
    *,
    bundle: Path | None = None,
    split: Literal["validation", "test"] = "test",
    whole: Path | None = None,
    photos: int = 480,
    svg: Path | None = None,
) -> Iterator[str]:
    """Print tables: which evidence refuses best, ECE, risk-coverage, and coverage of sets, on seen and unseen classes.

    Evidence is chosen on half of the held-out photos of seen classes and half of the foreign pictures, and reported on
    the other halves. On `validation` half of the photos of unseen classes are chosen on too; on `test` they are only
    reported. The pictures of scikit-image and scikit-learn are needed (extra `judge`). A bundle with a finder looks for
    its object in foreign pictures, as the service does; photos of the benchmark are cut to it.

    Args:
        data: folder of the benchmark the bundle was trained on, in the xlsa17 layout.
        bundle: folder of the exported model; default DUET_BUNDLE, else models/birds.
        split: test, or validation for a bundle exported from a validation run.
        whole: folder of whole photos <class>/<photo>.jpg of the benchmark's crops: scenery beside the bird is a
            further group of foreign pictures.
        photos: whole photos to use, evenly from the classes.
        svg: write the risk-coverage curves into this file.

    Raises ValueError when the bundle was trained on another split.
    """
    opened, benchmark = open_bundle(bundle_folder(bundle)), load_xlsa17(data)
    chosen = benchmark.validation_split() if split == "validation" else benchmark.test_split()
    check_split(opened, chosen)
    encoder = Encoder(opened)
    material, train = _material(encoder, benchmark, chosen, whole, photos, metric=opened.classes.metric)
    known = Known(
        seen_z=material.z[chosen.seen_classes],
        temperature=opened.calibration.temperature,
        train=train,
    )
    counts = f"{len(material.seen)} photos of seen classes, {len(material.unseen)} of unseen ones"
    yield f"bundle {opened.model_id}, {benchmark.name} {split}: {counts}, {len(material.foreign)} foreign pictures"
    yield from _evidence_tables(material, evidence_scores(known), opened)
    yield from _probability_tables(material, opened, evidence_scores(known), svg)


def _material(
    encoder: Encoder, benchmark: Benchmark, split: Split, whole: Path | None, photos: int, *, metric: Metric
) -> tuple[Material, Photos]:
    pictures = list(foreign_pictures())
    if whole is not None:
        pictures += scenery(whole_photos(whole, benchmark, photos))
    material = Material(
        z=metric.class_coordinates(metric.unit(benchmark.classes.z)),
        seen=encode_rows(encoder, benchmark, split.seen_eval).coordinates(metric),
        unseen=encode_rows(encoder, benchmark, split.unseen_eval).coordinates(metric),
        seen_classes=split.seen_classes,
        unseen_classes=split.unseen_classes,
        foreign=encode(encoder, (picture.image for picture in pictures), find=True).coordinates(metric),
        kinds=tuple(picture.kind for picture in pictures),
        sources=tuple(picture.source for picture in pictures),
        choose_unseen=split.name == "validation",
    )
    return material, encode_rows(encoder, benchmark, split.train[::_EVERY]).coordinates(metric)


def _evidence_tables(material: Material, scores: dict[str, Score], bundle: Bundle) -> Iterator[str]:
    best, chosen_on = choose(material, scores)
    yield f"\nEvidence, AUROC on the half to choose on; best: {best}\n{chosen_on}"
    yield f"\nEvidence, AUROC on the other half\n{report(material, scores)}"
    fitted = bundle.calibration
    yield f"\nRefused by the bundle: {fitted.evidence} below {fitted.threshold:.3f}, from {fitted.split}"
    yield report_rejection(material, scores[fitted.evidence], fitted.threshold)
    for name in dict.fromkeys((best, "max_cosine")):
        threshold = fit_threshold(material, scores[name], fitted.false_reject_rate)
        photos = "seen and unseen" if material.choose_unseen else "seen"
        yield f"\nRefused by {name}, {fitted.false_reject_rate:.0%} of the {photos} photos of the half to choose on"
        yield report_rejection(material, scores[name], threshold)


def _probability_tables(
    material: Material, bundle: Bundle, scores: dict[str, Score], svg: Path | None
) -> Iterator[str]:
    calibration, candidates = bundle.calibration, material.everything
    z = material.z[candidates]
    v = np.concatenate([material.seen.v, material.unseen.v]).astype(np.float64)
    column = np.zeros(len(material.z), dtype=np.int64)
    column[candidates] = np.arange(len(candidates))
    label = column[np.concatenate([material.seen.label, material.unseen.label])]
    is_seen = np.arange(len(v)) < len(material.seen)
    values = v @ z.T - calibration.gamma * (np.arange(len(z)) < len(material.seen_classes))
    yield f"\nProbabilities, γ {calibration.gamma:.3f}, temperature {calibration.temperature:.3f} of the bundle"
    yield calibration_error(values, label, is_seen, calibration)
    plain = material.seen.v.astype(np.float64) @ material.z[material.seen_classes].T
    own = np.searchsorted(material.seen_classes, material.seen.label)
    all_photos = Photos(v.astype(np.float32), np.concatenate([material.seen.state, material.unseen.state]), label)
    scaled = values / calibration.temperature
    top = np.partition(values, -2, axis=1)[:, -2:]
    sure = {
        "probability": 1 / np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1),
        "lead over the second": top[:, 1] - top[:, 0],
        "centred_cosine": scores["centred_cosine"](all_photos, z),
    }
    rows, curves = risk_curves(sure, values.argmax(axis=1) == label, is_seen)
    yield f"\nWrong answers when only the surest photos are answered\n{rows}"
    yield "\nKinds of sets, photos of seen classes, seen classes competing"
    yield compare_sets(plain, own, calibration.temperature)
    yield f"\nSets by margin, all classes competing\n{judge_sets(values, label, is_seen, calibration)}"
    if svg is not None:
        svg.write_text(draw_curves(curves), encoding="utf-8")
        yield f"\nrisk-coverage curves: {svg}"
