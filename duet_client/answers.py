"""What the service answers of photos, typed. Members that a newer service adds are ignored."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Candidates = Literal["all", "seen", "unseen"]


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Model(Answer):
    """Which model answered, and with which calibration."""

    id: str
    gamma: float
    temperature: float


class Prediction(Answer):
    """One class as an answer."""

    class_id: str
    label: str
    seen: bool
    score: float
    calibrated_score: float
    probability: float


class Decision(Answer):
    """Whether the best candidate is close enough, or the photo shows none of these."""

    accepted: bool
    reason: str
    score: float
    threshold: float


class ClassesAtCoverage(Answer):
    """Ids among which the right class is as often as `target_coverage` says, unless `guarantee` says why not."""

    set: list[str]
    target_coverage: float
    guarantee: str


class PhotoBox(Answer):
    """A rectangle of the upright photo: its edges, 0…1 of the photo's width and height."""

    left: float
    top: float
    right: float
    bottom: float


class Classification(Answer):
    """The ranked classes of a photo, best first. `coverage` is there when it was asked for, `box` when it was found."""

    image_id: str
    box: PhotoBox | None = None
    predictions: list[Prediction]
    decision: Decision
    coverage: ClassesAtCoverage | None = None
    model: Model
    revision: int


class PhotoAttribute(Answer):
    """An attribute the photo shows; `score` is its share among those of its prompt set."""

    key: str
    name: str
    score: float


class GroundedPromptSet(Answer):
    """The best attributes of one prompt set."""

    prompt: str
    attributes: list[PhotoAttribute]


class Contribution(Answer):
    """What one attribute adds to the score of a class: v times z."""

    attribute: str
    v: float
    z: float
    contribution: float


class ExplainedClass(Answer):
    """The score of a class, taken apart: the contributions and `rest` sum to it."""

    class_id: str
    label: str
    seen: bool
    score: float
    calibrated_score: float
    contributions: list[Contribution]
    rest: float


class Difference(Answer):
    """What one attribute adds to the difference of two scores: v times z, less v times z_versus."""

    attribute: str
    v: float
    z: float
    z_versus: float
    contribution: float


class Contrast(Answer):
    """Why one class and not the other: the contributions sum to `score_difference`."""

    versus: str
    label: str
    seen: bool
    score: float
    calibrated_score: float
    score_difference: float
    gamma_difference: float
    calibrated_difference: float
    contributions: list[Difference]


class AttributeEdit(Answer):
    """An attribute changed."""

    attribute: str
    before: float
    after: float


class Edits(Answer):
    """The fewest edits with which a class would be the answer; either list is None where no edits suffice."""

    class_id: str
    instead_of: str
    class_degrees: list[AttributeEdit] | None
    photo_attributes: list[AttributeEdit] | None


class Explanation(Answer):
    """What a photo shows, and why it fits a class. `contrast` and `edits` are there when they were asked for."""

    image_id: str
    grounding: list[GroundedPromptSet]
    explained: ExplainedClass = Field(alias="class")
    contrast: Contrast | None = None
    edits: Edits | None = None
    model: Model
    revision: int
