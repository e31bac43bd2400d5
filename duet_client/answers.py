"""What the service answers, typed. Members that a newer service adds are ignored."""

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


class Classification(Answer):
    """The ranked classes of a photo, best first."""

    image_id: str
    predictions: list[Prediction]
    decision: Decision
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


class Explanation(Answer):
    """What a photo shows, and why it fits a class."""

    image_id: str
    grounding: list[GroundedPromptSet]
    explained: ExplainedClass = Field(alias="class")
    model: Model
    revision: int


class Degree(Answer):
    """How strongly a class has an attribute."""

    key: str
    degree: float


class Understood(Degree):
    """An attribute of a new class, and for prompts the phrase it was read from."""

    phrase: str | None = None
    how: str | None = None
    confidence: float | None = None


class Interpretation(Answer):
    """A description as the service understood it."""

    attributes: list[Understood]
    words_not_used: list[str]
    prompt_sets_assumed: list[str]


class ClassSummary(Answer):
    """One class of a class space. `kind` says how it was described: bundle, vector, mapping or prompt."""

    id: str
    label: str
    seen: bool
    kind: str


class ClassPage(Answer):
    """A page of classes; `total` counts those of all pages."""

    classes: list[ClassSummary]
    total: int
    revision: int


class ClassDetail(ClassSummary):
    """A class with all its attributes."""

    attributes: list[Degree]
    prompt: str | None = None
    created_at: str | None = None
    revision: int


class StoredClass(ClassSummary):
    """A class just stored, and how its description was understood."""

    revision: int
    interpretation: Interpretation


class DeletedClass(Answer):
    """A class just deleted."""

    id: str
    revision: int


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
