"""What a bundle loses by being quantised, on photos it was not trained on, and whether that is little enough.

Letter key: N photos, A attributes.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from duet_core.benchmarks import Benchmark, Split
from duet_core.evaluation import Metrics
from duet_core.judging.held_out import HeldOut
from duet_core.judging.photos import Photos
from duet_core.runtime import Bundle, Encoder, load_rgb

_AT_ONCE = 8
_TELL_EVERY = 256
_LEAST_SPREAD = 0.01
"""Of the deviation of all v: an attribute that hardly differs between photos is not divided by less."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A quantised model beside the float32 one, on the same photos at the same γ.

    Attributes:
        before, after: T1, U, S, H, AUSUC of float32 and of the quantised model, fractions.
        error: norm of the difference of v over the norm of v.
        attribute_error: (A,) mean |Δv| of each attribute over the deviation of that attribute's v.
        agreement: share of photos with the same answer, all classes competing.
        photos: N.
    """

    before: Metrics
    after: Metrics
    error: float
    attribute_error: tuple[float, ...]
    agreement: float
    photos: int

    @property
    def points(self) -> float:
        """Points of H lost; negative when it gained."""
        return 100 * (self.before.H - self.after.H)

    def to_json(self, keys: tuple[str, ...]) -> dict[str, Any]:
        """Plain data for the manifest; `keys` are those of the A attributes."""
        worst = int(np.argmax(self.attribute_error))
        return {
            "photos": self.photos,
            "float32": self.before.to_json(),
            "quantised": self.after.to_json(),
            "lost_points_of_H": self.points,
            "lost_points_of_T1": 100 * (self.before.T1 - self.after.T1),
            "error_of_v": self.error,
            "attribute_error": {
                "mean": float(np.mean(self.attribute_error)),
                "worst": self.attribute_error[worst],
                "worst_attribute": keys[worst],
            },
            "agreement": self.agreement,
        }


def compare(before: HeldOut, after: HeldOut) -> Loss:
    """What was lost from one model to the other."""
    difference = after.v - before.v  # (N, A)
    spread = np.maximum(before.v.std(axis=0), _LEAST_SPREAD * before.v.std())  # (A,)
    return Loss(
        before=before.metrics,
        after=after.metrics,
        error=float(np.linalg.norm(difference) / np.linalg.norm(before.v)),
        attribute_error=tuple(float(share) for share in np.abs(difference).mean(axis=0) / spread),
        agreement=float((before.predicted == after.predicted).mean()),
        photos=len(before.label),
    )


def judge_all(
    bundles: Mapping[str, Bundle], benchmark: Benchmark, split: Split
) -> Generator[str, None, dict[str, HeldOut]]:
    """What several bundles of one preprocessing say of a split's held-out photos, each photo decoded once.

    Yields lines of progress.
    """
    rows = np.concatenate([split.seen_eval, split.unseen_eval])
    encoders = {name: Encoder(bundle) for name, bundle in bundles.items()}
    prepare = next(iter(encoders.values())).prepare
    parts: dict[str, list[Photos]] = {name: [] for name in bundles}
    for start in range(0, len(rows), _AT_ONCE):
        chosen = rows[start : start + _AT_ONCE]
        pixels = np.stack([prepare(load_rgb(benchmark.image_paths[row])) for row in chosen])
        for name, encoder in encoders.items():
            encoded = encoder.encode_pixels(pixels)
            parts[name].append(Photos(encoded.v, encoded.state, benchmark.labels[chosen]))
        if start % _TELL_EVERY == 0:
            yield f"{start} of {len(rows)} photos judged"
    return {name: _held_out(bundles[name], benchmark, split, parts[name]) for name in bundles}


def _held_out(bundle: Bundle, benchmark: Benchmark, split: Split, parts: list[Photos]) -> HeldOut:
    whole = Photos(
        np.concatenate([part.v for part in parts]),
        np.concatenate([part.state for part in parts]),
        np.concatenate([part.label for part in parts]),
    )
    seen = len(split.seen_eval)
    groups = whole[slice(seen)], whole[slice(seen, None)]
    return HeldOut(bundle.model_id, bundle.calibration.gamma, benchmark, split, *groups, metric=bundle.classes.metric)


TABLE_HEAD = (
    "| network | T1 | U | S | H | H lost | error of v | of an attribute, mean | worst | same answer |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def table_row(name: str, loss: Loss) -> str:
    """A line of the table of what was lost: percent, points, and shares."""
    after, errors = loss.after, np.array(loss.attribute_error)
    figures = " | ".join(f"{100 * value:.1f}" for value in (after.T1, after.U, after.S, after.H))
    return (
        f"| {name} | {figures} | {loss.points:+.2f} | {loss.error:.3f} | {errors.mean():.3f} | {errors.max():.3f} "
        f"| {100 * loss.agreement:.1f} % |"
    )


def float32_row(metrics: Metrics) -> str:
    """The line of the model as it was."""
    figures = " | ".join(f"{100 * value:.1f}" for value in (metrics.T1, metrics.U, metrics.S, metrics.H))
    return f"| float32 | {figures} | | | | | |"
