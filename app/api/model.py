"""GET /model: which model answers, and how far its numbers can be trusted."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from app.api.admin import SwapAttempt, last_attempt
from app.api.answers import Answer
from app.api.deps import TheModels, TheService
from app.engine.setup import describe_batching
from duet_core.runtime import describe_execution

router = APIRouter(tags=["Operation"])


class CalibrationError(Answer):
    """Expected calibration error, 0…1, at temperature 1 and at the model's; null where the bundle does not say."""

    before: float | None
    after: float | None


class PublishedCalibration(Answer):
    """What was fitted on validation classes, and how well."""

    gamma: float = Field(
        description="Subtracted from the scores of seen classes; that of a request or a class space goes first."
    )
    temperature: float
    ece: CalibrationError = Field(description="On seen and unseen validation classes, each weighing one half.")
    ece_seen: CalibrationError
    ece_unseen: CalibrationError
    evidence: str = Field(description="What `threshold` is compared with.", examples=["centred_cosine"])
    threshold: float = Field(description="Evidence below it is answered with none of these.")
    false_reject_rate: float = Field(description="Share of validation photos refused wrongly, as it was asked for.")
    false_reject_seen: float | None = Field(description="The share among photos of seen validation classes.")
    false_reject_unseen: float | None = Field(description="The share among photos of unseen validation classes.")
    split: str = Field(description="Where all of this was measured.")
    photos: int
    photos_seen: int | None
    photos_unseen: int | None
    prediction_sets: bool = Field(description="Whether `coverage` can be asked for without labelled photos.")


class RuntimeChoice(Answer):
    """One setting of the model's session, as the session itself tells it."""

    value: str | int | bool | None
    why: str


class ModelAnswer(Answer):
    """The model in work and its calibration."""

    id: str
    checksum: str = Field(description="sha256 of the bundle's manifest, which holds that of every other file.")
    attributes: int
    seen_classes: int
    calibration: PublishedCalibration
    runtime: dict[str, RuntimeChoice] = Field(
        description="How the model is run, and why so: `provider`, `threads`, `spinning`, `cpu_arena`, "
        "`memory_pattern`, `graph_optimisation`, `precision`, `onnxruntime`; how photos are put together: `max_batch`, "
        "`max_delay`, `padded_batches`; on a GPU also `gpu_memory_mb`, "
        "`gpu_arena` and `cudnn_search`."
    )
    training: dict[str, Any] = Field(description="From the bundle's manifest: data, photos, classes, command, …")
    metrics: dict[str, Any] = Field(description="From the bundle's manifest: figures with the split they belong to.")
    finder: dict[str, Any] | None = Field(
        description="From the bundle's manifest: on what photos the part was fitted that finds the object in a photo, "
        "and how well it does; null: the model has none and sees the central square."
    )
    last_swap: SwapAttempt | None = Field(description="The last time another bundle was asked for; null: never.")


@router.get("/model", summary="The model and its calibration")
async def model(service: TheService, models: TheModels) -> ModelAnswer:
    """Which bundle answers and how it is run; γ, temperature, calibration error, threshold, and where measured."""
    bundle = service.bundle
    fitted = bundle.calibration
    return ModelAnswer(
        id=bundle.model_id,
        checksum=bundle.checksum,
        attributes=len(bundle.schema),
        seen_classes=len(bundle.classes),
        calibration=PublishedCalibration(
            gamma=fitted.gamma,
            temperature=fitted.temperature,
            ece=CalibrationError(before=fitted.ece_before, after=fitted.ece_after),
            ece_seen=CalibrationError(before=fitted.ece_seen_before, after=fitted.ece_seen_after),
            ece_unseen=CalibrationError(before=fitted.ece_unseen_before, after=fitted.ece_unseen_after),
            evidence=fitted.evidence,
            threshold=fitted.threshold,
            false_reject_rate=fitted.false_reject_rate,
            false_reject_seen=fitted.false_reject_seen,
            false_reject_unseen=fitted.false_reject_unseen,
            split=fitted.split,
            photos=fitted.n_photos,
            photos_seen=fitted.n_seen,
            photos_unseen=fitted.n_unseen,
            prediction_sets=fitted.margins_seen is not None,
        ),
        runtime={
            name: RuntimeChoice(value=choice.value, why=choice.why)
            for name, choice in (describe_execution(bundle) | describe_batching(service.inference.batching)).items()
        },
        training=bundle.manifest.get("training", {}),
        metrics=bundle.manifest.get("metrics", {}),
        finder=bundle.manifest.get("finder"),
        last_swap=last_attempt(models),
    )
