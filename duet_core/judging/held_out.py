"""What one model says of the held-out photos of a split, and what it would answer."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from duet_core.benchmarks import Benchmark, Split
from duet_core.classes import BoolArray, FloatArray, IntArray
from duet_core.evaluation import Judged, Metrics, SeenUnseenCurve, evaluate, seen_unseen_curve
from duet_core.judging.encoded import CACHE, encode_cached
from duet_core.judging.photos import Photos
from duet_core.runtime import Bundle
from duet_core.runtime.metric import EUCLIDEAN, Metric

DoubleArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """N held-out photos of a split, those of seen classes first, as one model sees them. n candidates, seen ones first.

    Attributes:
        model_id: of the bundle.
        gamma: of the bundle; taken off the scores of seen classes.
        benchmark, split: where the photos are from.
        seen, unseen: the photos of either group, in the order of the split's rows.
        metric: of the model's class vectors.
    """

    model_id: str
    gamma: float
    benchmark: Benchmark
    split: Split
    seen: Photos
    unseen: Photos
    metric: Metric = EUCLIDEAN

    @cached_property
    def class_vectors(self) -> FloatArray:
        """(C, A) z of all classes of the benchmark, as the model scores them."""
        return self.metric.unit(self.benchmark.class_vectors)

    @property
    def judged(self) -> Judged:
        """The arguments of `duet_core.evaluation`."""
        return Judged(
            v_seen=self.seen.v,
            label_seen=self.seen.label,
            v_unseen=self.unseen.v,
            label_unseen=self.unseen.label,
            class_vectors=self.class_vectors,
            seen_classes=self.split.seen_classes,
            unseen_classes=self.split.unseen_classes,
        )

    @cached_property
    def metrics(self) -> Metrics:
        """T1, U, S, H at the bundle's γ, and AUSUC."""
        return evaluate(gamma=self.gamma, **self.judged)

    @cached_property
    def curve(self) -> SeenUnseenCurve:
        """U and S for every γ."""
        return seen_unseen_curve(**self.judged)

    @property
    def rows(self) -> IntArray:
        """(N,) rows of the photos in the benchmark."""
        return np.concatenate([self.split.seen_eval, self.split.unseen_eval])

    @cached_property
    def v(self) -> FloatArray:
        """(N, A) predicted attributes."""
        return np.concatenate([self.seen.v, self.unseen.v])

    @cached_property
    def state(self) -> FloatArray:
        """(N, D) image states."""
        return np.concatenate([self.seen.state, self.unseen.state])

    @cached_property
    def label(self) -> IntArray:
        """(N,) true global class rows."""
        return np.concatenate([self.seen.label, self.unseen.label])

    @property
    def is_seen(self) -> BoolArray:
        """(N,) whether the photo's class is seen."""
        return np.asarray(np.arange(len(self.label)) < len(self.seen))

    @cached_property
    def candidates(self) -> IntArray:
        """(n,) global class rows, seen ones first."""
        return np.concatenate([self.split.seen_classes, self.split.unseen_classes])

    @cached_property
    def scores(self) -> DoubleArray:
        """(N, n) v·z, not calibrated."""
        vectors = self.class_vectors[self.candidates].astype(np.float64)
        return np.asarray(self.v.astype(np.float64) @ vectors.T)

    @cached_property
    def predicted(self) -> IntArray:
        """(N,) global class rows answered when all classes compete, γ off the seen ones (Eq. 22)."""
        handicap = np.where(np.arange(len(self.candidates)) < len(self.split.seen_classes), self.gamma, 0.0)
        return np.asarray(self.candidates[(self.scores - handicap).argmax(axis=1)])

    @cached_property
    def predicted_in_group(self) -> IntArray:
        """(N,) global class rows answered when only the photo's own group competes: CZSL for unseen classes."""
        seen_candidates = np.arange(len(self.candidates)) < len(self.split.seen_classes)
        allowed = seen_candidates[None, :] == self.is_seen[:, None]
        return np.asarray(self.candidates[np.where(allowed, self.scores, -np.inf).argmax(axis=1)])


def judge_held_out(
    bundle: Bundle, benchmark: Benchmark, split: Split, cache: Path = CACHE
) -> Generator[str, None, HeldOut]:
    """Encode the held-out photos (once: they are cached) and say what the bundle answers; yields lines of progress.

    Raises ValueError for a bundle of other attributes or of another split.
    """
    check_attributes(bundle, benchmark)
    check_split(bundle, split)
    seen = yield from encode_cached(bundle, benchmark, split.seen_eval, what="photos of seen classes", folder=cache)
    unseen = yield from encode_cached(
        bundle, benchmark, split.unseen_eval, what="photos of unseen classes", folder=cache
    )
    return HeldOut(
        bundle.model_id, bundle.calibration.gamma, benchmark, split, seen, unseen, metric=bundle.classes.metric
    )


def check_attributes(bundle: Bundle, benchmark: Benchmark) -> None:
    """Raises ValueError when the bundle has other attributes than the benchmark."""
    if bundle.schema != benchmark.schema:
        raise ValueError(
            f"bundle {bundle.model_id} has {len(bundle.schema)} attributes, {benchmark.name} has "
            f"{len(benchmark.schema)}, or others; give the benchmark that the bundle was trained on"
        )


def check_split(bundle: Bundle, split: Split) -> None:
    """Raises ValueError when the bundle was trained on another number of photos than this split trains on."""
    trained = bundle.manifest.get("training", {}).get("photos")
    if trained != len(split.train):
        raise ValueError(
            f"bundle {bundle.model_id} was trained on {trained} photos, split {split.name!r} trains on "
            f"{len(split.train)}: photos to judge with may have been trained on. Give the other --split or bundle"
        )
