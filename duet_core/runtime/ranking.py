"""A photo ranked as the bundle was calibrated: the one place that reads a ranking's numbers off the calibration."""

from __future__ import annotations

from duet_core.classes import FloatArray
from duet_core.runtime.bundle import Bundle
from duet_core.runtime.class_set import ClassSet
from duet_core.runtime.scoring import Candidates, Ranking, rank


def rank_calibrated(
    bundle: Bundle,
    v: FloatArray,
    classes: ClassSet,
    *,
    top_k: int,
    candidates: Candidates,
    gamma: float | None = None,
) -> Ranking:
    """The best candidates for one photo, with the bundle's γ, temperature, threshold and evidence.

    Args:
        bundle: whose calibration counts.
        v: (A,) predicted attributes.
        classes: the classes to score, such as `bundle.classes`.
        top_k, candidates: as for `rank`.
        gamma: instead of the bundle's; None for its own.

    Raises RankingError as `rank` does.
    """
    calibration = bundle.calibration
    return rank(
        v,
        classes,
        gamma=calibration.gamma if gamma is None else gamma,
        temperature=calibration.temperature,
        threshold=calibration.threshold,
        evidence=bundle.evidence,
        top_k=top_k,
        candidates=candidates,
    )
