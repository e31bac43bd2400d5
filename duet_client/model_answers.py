"""What the service answers of its model: attributes, calibration, training."""

from __future__ import annotations

from typing import Any, Literal

from duet_client.answers import Answer


class SchemaAttribute(Answer):
    """One attribute; `index` is its place in a class vector."""

    index: int
    key: str
    name: str


class PromptSet(Answer):
    """Attributes that answer the same question."""

    prompt: str
    attributes: list[SchemaAttribute]


class Schema(Answer):
    """All attributes the model knows."""

    model_id: str
    count: int
    prompt_sets: list[PromptSet]


class CoverageReached(Answer):
    """How far below the best score sets of this coverage reach; None: too few labelled photos of the group."""

    coverage: float
    margin_seen: float | None
    margin_unseen: float | None
    photos_needed: int


class CalibrationState(Answer):
    """What a space's sets of classes rest on; when `revision` is not `calibrated_at` their guarantee is void."""

    photos: int
    photos_seen: int
    photos_unseen: int
    accuracy: float | None
    coverages: list[CoverageReached]
    shared: bool
    calibrated_at: int | None
    revision: int


class CalibrationError(Answer):
    """Expected calibration error at temperature 1 and at the model's; None where the bundle does not say."""

    before: float | None
    after: float | None


class PublishedCalibration(Answer):
    """What was fitted on validation classes, and how well."""

    gamma: float
    temperature: float
    ece: CalibrationError
    ece_seen: CalibrationError
    ece_unseen: CalibrationError
    evidence: str
    threshold: float
    false_reject_rate: float
    false_reject_seen: float | None
    false_reject_unseen: float | None
    split: str
    photos: int
    photos_seen: int | None
    photos_unseen: int | None
    prediction_sets: bool


class RuntimeChoice(Answer):
    """One setting of the model's session, and why it has this value."""

    value: str | int | bool | None
    why: str


class BundleName(Answer):
    """A bundle: its model id, and the sha256 of its manifest."""

    id: str
    checksum: str


class LeftOutClass(Answer):
    """A registered class that the new bundle cannot tell; the store keeps it."""

    class_id: str
    reason: str


class CarriedClasses(Answer):
    """What became of the registered classes of a class space; `reasons` are those of the first hundred left out."""

    space: str
    kept: int
    re_embedded: int
    left_out: int
    reasons: list[LeftOutClass]
    gamma: float | None


class SwappedModel(Answer):
    """The new bundle answers, since `seconds` after it was asked for."""

    bundle: str
    before: BundleName
    now: BundleName
    seconds: float
    spaces: list[CarriedClasses]


class SwapAttempt(Answer):
    """The last time another bundle was asked for; `reason` says why it was refused, when it was."""

    bundle: str
    asked_by: Literal["api", "signal"]
    at: str
    seconds: float
    served: bool
    reason: str | None
    before: BundleName
    now: BundleName


class ModelAnswer(Answer):
    """The model in work, how it is run, its calibration, and what its bundle says of training and figures."""

    id: str
    checksum: str
    attributes: int
    seen_classes: int
    calibration: PublishedCalibration
    runtime: dict[str, RuntimeChoice]
    training: dict[str, Any]
    metrics: dict[str, Any]
    finder: dict[str, Any] | None
    last_swap: SwapAttempt | None
