"""Sets of classes at a stated coverage, and whether their guarantee holds."""

from __future__ import annotations

import asyncio

from app.api.answers import ClassesAtCoverage
from app.engine.image_states import ImageState
from app.engine.labelled import Labelled
from app.engine.margins import Question
from app.problems import Problem
from app.service import Service
from duet_core.runtime import score_candidates
from duet_core.runtime.conformal import Bounds, CoverageError, bounds, percentile_bounds, prediction_set


async def classes_at(service: Service, image: ImageState, question: Question, coverage: float) -> ClassesAtCoverage:
    """The set for a photo.

    Raises Problem no-calibration-photos when neither the space nor the bundle can tell.
    """
    limits, guarantee = await limits_for(service, question, coverage)
    classes = question.snapshot.classes

    def chosen() -> list[str]:
        scores = score_candidates(image.v, classes, gamma=question.gamma, candidates=question.candidates)
        return [classes.class_id(int(row)) for row in prediction_set(scores, classes, limits)]

    ids = await asyncio.to_thread(chosen)
    return ClassesAtCoverage(set=ids, target_coverage=coverage, guarantee=guarantee)


async def limits_for(service: Service, question: Question, coverage: float) -> tuple[Bounds, str]:
    """Bounds from the labelled photos of the space, else from the bundle's validation photos; and the guarantee."""
    space = question.snapshot.space
    labelled = await service.labelled.find(space)
    if labelled is None:
        return _limits_of_bundle(service, coverage)
    known = await service.margins.of(labelled, question)
    groups = [kind for kind, any_ in _groups(question).items() if any_]
    try:
        limits = bounds(known.found, known.seen, coverage, groups)
    except CoverageError as error:
        raise Problem("no-calibration-photos", f"Space {space!r}: {error}.", {"got": f"coverage={coverage}"}) from None
    return limits, _guarantee(labelled, question, limits)


def _groups(question: Question) -> dict[str, bool]:
    classes = question.snapshot.classes
    seen = classes.seen[classes.rows(question.candidates)]
    return {"seen": bool(seen.any()), "unseen": bool((~seen).any())}


def _guarantee(labelled: Labelled, question: Question, limits: Bounds) -> str:
    settings = question.snapshot.settings
    if settings is not None and settings.revision > labelled.revision:
        return f"void: class set or γ changed since revision {labelled.revision}"
    if question.snapshot.revision != labelled.revision:
        return f"void: class set changed since revision {labelled.revision}"
    if limits.pooled:
        return f"void: too few labelled photos of {' and '.join(limits.pooled)} classes"
    return "valid"


def _limits_of_bundle(service: Service, coverage: float) -> tuple[Bounds, str]:
    calibration = service.bundle.calibration
    if calibration.margins_seen is None or calibration.margins_unseen is None:
        raise Problem(
            "no-calibration-photos",
            f"Bundle {service.bundle.model_id} has no margins of validation photos, and this space no labelled ones.",
            {"got": f"coverage={coverage}", "example": {"photos": [{"image_id": "…", "class_id": "painted-bunting"}]}},
        )
    limits = percentile_bounds(calibration.margins_seen, calibration.margins_unseen, coverage)
    return limits, "void: measured on validation classes, not on those of this space; POST /calibration renews it"
