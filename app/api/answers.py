"""The shapes of what the service answers; /docs is made of them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ClassKind = Literal["bundle", "vector", "mapping", "prompt"]


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())


class Model(Answer):
    """Which model answered, and with which calibration."""

    id: str = Field(examples=["birds"])
    gamma: float = Field(
        description="Subtracted from the scores of seen classes when all classes compete: as asked for, else the "
        "space's, else the model's."
    )
    temperature: float = Field(description="Probabilities are the softmax of calibrated scores divided by it.")


class Prediction(Answer):
    """One class as an answer."""

    class_id: str = Field(examples=["painted-bunting"])
    label: str = Field(examples=["Painted Bunting"])
    seen: bool = Field(description="Whether the model was trained on photos of the class.")
    score: float = Field(description="v·z: how well the photo's attributes fit the class.")
    calibrated_score: float = Field(description="The score, less gamma for a seen class when all classes compete.")
    probability: float = Field(description="Softmax over all candidates, not only those returned; 0…1.")


class Decision(Answer):
    """Whether the best candidate is close enough, or the photo shows none of these."""

    accepted: bool
    reason: str
    score: float = Field(
        description="The best evidence of any candidate, -1…1, whatever the other candidates: see GET /model."
    )
    threshold: float


class ClassesAtCoverage(Answer):
    """Classes among which the right one is, with a stated probability (split conformal prediction)."""

    set: list[str] = Field(description="Ids of the classes, best first.")
    target_coverage: float = Field(description="How often sets such as this hold the right class.")
    guarantee: str = Field(
        description="`valid`, or `void: …` with the reason for which the coverage is not guaranteed.",
        examples=["valid", "void: class set changed since revision 41"],
    )


class PhotoBox(Answer):
    """A rectangle of the upright photo: its edges, 0…1 of the photo's width and height."""

    left: float
    top: float
    right: float
    bottom: float


class Classification(Answer):
    """The ranked classes of a photo."""

    image_id: str = Field(description="Give it to GET /explain; the photo itself is not kept.")
    box: PhotoBox | None = Field(
        default=None, description="Where the object was found, which alone was looked at; absent: its central square."
    )
    predictions: list[Prediction]
    decision: Decision
    coverage: ClassesAtCoverage | None = Field(default=None, description="Given when `coverage` was asked for.")
    model: Model
    revision: int = Field(description="Revision of the class space this answer was made from.")


class PhotoAttribute(Answer):
    """An attribute the photo shows."""

    key: str = Field(examples=["wing color: blue"])
    name: str = Field(examples=["blue"])
    score: float = Field(description="Share among the attributes shown of its prompt set; they sum to 1.")


class GroundedPromptSet(Answer):
    """The best attributes of one prompt set: what its mask is filled with."""

    prompt: str = Field(examples=["wing color"])
    attributes: list[PhotoAttribute]


class Contribution(Answer):
    """What one attribute adds to the score of a class."""

    attribute: str = Field(examples=["wing color: blue"])
    v: float = Field(description="The attribute as predicted from the photo.")
    z: float = Field(description="The attribute in the class vector.")
    contribution: float = Field(description="v times z.")


class ExplainedClass(Answer):
    """The score of a class, taken apart: the contributions and `rest` sum to it."""

    class_id: str
    label: str
    seen: bool
    score: float
    calibrated_score: float
    contributions: list[Contribution] = Field(description="Largest first.")
    rest: float = Field(description="Sum of the contributions left out by `limit`; 0 when all are given.")


class Difference(Answer):
    """What one attribute adds to the difference of two scores."""

    attribute: str = Field(examples=["wing color: blue"])
    v: float = Field(description="The attribute as predicted from the photo.")
    z: float = Field(description="The attribute in the class explained.")
    z_versus: float = Field(description="The attribute in the other class.")
    contribution: float = Field(description="v times z, less v times z_versus: above 0 it speaks for the first class.")


class Contrast(Answer):
    """Why one class and not the other: `contributions` sum to `score_difference`, exactly but for rounding."""

    versus: str = Field(description="Id of the other class.")
    label: str
    seen: bool
    score: float = Field(description="The other class's score.")
    calibrated_score: float
    score_difference: float = Field(description="Score of the class explained, less that of the other.")
    gamma_difference: float = Field(description="What γ takes off the other class, less what it takes off the first.")
    calibrated_difference: float = Field(description="score_difference plus gamma_difference; above 0: ahead.")
    contributions: list[Difference] = Field(description="All attributes, the largest contribution first.")


class AttributeEdit(Answer):
    """An attribute changed."""

    attribute: str
    before: float
    after: float


class Edits(Answer):
    """The fewest edits with which a class would be the answer; either list is null where no edits suffice."""

    class_id: str = Field(description="The class that would then be the answer.")
    instead_of: str = Field(description="The class that is the answer now.")
    class_degrees: list[AttributeEdit] | None = Field(
        description="Degrees of the class to change, each anywhere in 0…1; class vectors keep length 1, which is taken "
        "into account exactly. None fewer suffice. Empty when it is the answer already."
    )
    photo_attributes: list[AttributeEdit] | None = Field(
        description="Attributes v that the photo would have to show differently to put the class ahead of the present "
        "answer, each between 0 and as strong as the class that has most of it shows it in a photo of this one's "
        "strength. None fewer suffice."
    )


class Explanation(Answer):
    """What the photo shows, and why it fits a class."""

    image_id: str
    grounding: list[GroundedPromptSet]
    class_: ExplainedClass = Field(serialization_alias="class")
    contrast: Contrast | None = Field(default=None, description="Given when `versus` was asked for.")
    edits: Edits | None = Field(default=None, description="Given when `edits` was asked for.")
    model: Model
    revision: int


class Degree(Answer):
    """How strongly a class has an attribute."""

    key: str
    degree: float


class Understood(Degree):
    """An attribute of a new class. The last three are given for prompts only."""

    phrase: str | None = Field(default=None, description="The words it was read from.")
    how: Literal["exact", "lexical", "similar"] | None = Field(
        default=None, description="By its key, by words and synonyms, or by the language model."
    )
    confidence: float | None = None


class Interpretation(Answer):
    """A description as it was understood; correct it and send it again as a mapping."""

    attributes: list[Understood] = Field(description="Those given or found, strongest first.")
    words_not_used: list[str] = Field(description="Words of the prompt that changed nothing.")
    parts_not_known: list[str] = Field(
        default=[], description="Parts spoken of that the schema has no attributes for, such as ears."
    )
    prompt_sets_assumed: list[str] = Field(
        description="Prompt sets not spoken of; their degrees are what the seen classes lead one to expect."
    )


class ClassSummary(Answer):
    """One class of a class space."""

    id: str
    label: str
    seen: bool
    kind: ClassKind = Field(description="How it was described: by the bundle, a vector, a mapping or a prompt.")
    left_out: str | None = Field(default=None, description="Why it is no candidate; null for one that is.")


class ClassList(Answer):
    """A page of classes, seen ones first."""

    classes: list[ClassSummary]
    total: int = Field(description="Classes that match, on all pages.")
    revision: int


class ClassDetail(ClassSummary):
    """A class with all its attributes."""

    attributes: list[Degree] = Field(description="All attributes in schema order.")
    prompt: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    expires_at: float | None = Field(default=None, description="Seconds since 1970 after which it is deleted.")
    version: int = Field(description="1 for a new class, one more with every change; 0 for the bundle's own.")
    revision: int = Field(description="Revision of the class space this answer was made from.")


class NearDuplicate(Answer):
    """Another class that can hardly be told apart from the one just stored."""

    class_id: str
    label: str
    seen: bool
    similarity: float = Field(description="Cosine of the degrees of both classes.")


class NewClassAnswer(ClassSummary):
    """A class just stored."""

    version: int = Field(description="1 for a new class, one more with every change; 0 after a dry run.")
    revision: int
    interpretation: Interpretation
    near_duplicates: list[NearDuplicate] = Field(description="Classes that photos can hardly tell from this one.")


class DryRun(NewClassAnswer):
    """A class as it would be stored."""

    degrees: list[Degree] = Field(
        description="All attributes in schema order with the degrees that would be stored, those filled in too. "
        "Corrected, they can be sent as `attributes`."
    )


class ChangedClass(ClassSummary):
    """A class just replaced or changed."""

    version: int
    revision: int
    hidden: bool = Field(default=False, description="A seen class that this space does not show.")
    interpretation: Interpretation | None = Field(default=None, description="Of a new description.")
    near_duplicates: list[NearDuplicate] = Field(description="Classes that photos can hardly tell from this one.")


class ImportedPair(NearDuplicate):
    """An imported class and another that can hardly be told apart from it."""

    imported_id: str


class Imported(Answer):
    """Classes just imported, all under one revision."""

    imported: int
    revision: int
    near_duplicates: list[ImportedPair] = Field(description="The first twenty pairs.")
    near_duplicates_checked: bool = Field(description="False for large imports, for which it would take too long.")


class SpaceSummary(Answer):
    """A class space."""

    name: str = Field(examples=["default"])
    label: str
    classes: int = Field(description="Registered classes.")
    revision: int
    created_at: str
    gamma: float | None = Field(description="γ of this space's answers; null: the model's.", examples=[1.2])


class SpaceList(Answer):
    """All class spaces by name."""

    spaces: list[SpaceSummary]


class ChangedSpace(Answer):
    """A class space just made, copied or deleted."""

    name: str
    revision: int


class SpaceSettings(Answer):
    """What a class space sets for its answers."""

    name: str
    gamma: float | None = Field(description="null: the model's γ.", examples=[1.2])
    revision: int


class LoggedWrite(Answer):
    """One write to a class space."""

    revision: int
    at: str
    actor: str
    operation: str = Field(examples=["register", "import"])
    count: int = Field(description="Classes written.")
    ids: list[str] = Field(description="The first hundred of them; `_settings` are those of the space itself.")


class Log(Answer):
    """A page of the audit log, newest first."""

    entries: list[LoggedWrite]


class DeletedClass(Answer):
    """A class just deleted."""

    id: str
    revision: int


class SchemaAttribute(Answer):
    """One attribute of the schema."""

    index: int = Field(description="Its place in a class vector.")
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
