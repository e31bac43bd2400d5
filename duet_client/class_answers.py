"""What the service answers of classes and class spaces, typed."""

from __future__ import annotations

from pydantic import Field, PrivateAttr

from duet_client.answers import Answer


class Tagged(Answer):
    """An answer that names one version of a class."""

    _etag: str = PrivateAttr(default="")

    @property
    def etag(self) -> str:
        """What `if_match` takes, so that a change is made only to this version of the class."""
        return self._etag

    def tag(self, etag: str) -> None:
        """Keep the ETag that came with the answer."""
        self._etag = etag


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
    parts_not_known: list[str] = Field(default=[])
    prompt_sets_assumed: list[str]


class ClassSummary(Answer):
    """One class of a class space. `kind` says how it was described: bundle, vector, mapping or prompt.

    `left_out` says why it is no candidate: it was described for attributes that the model does not have.
    """

    id: str
    label: str
    seen: bool
    kind: str
    left_out: str | None = None


class ClassPage(Answer):
    """A page of classes; `total` counts those of all pages."""

    classes: list[ClassSummary]
    total: int
    revision: int


class ClassDetail(ClassSummary, Tagged):
    """A class with all its attributes. `version` is 1 for a new class, 0 for the bundle's own."""

    attributes: list[Degree]
    prompt: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    expires_at: float | None = None
    version: int
    revision: int


class NearDuplicate(Answer):
    """Another class that photos can hardly tell from the one just stored."""

    class_id: str
    label: str
    seen: bool
    similarity: float


class StoredClass(ClassSummary, Tagged):
    """A class just stored, and how its description was understood; after a dry run with version 0, and not stored."""

    version: int
    revision: int
    interpretation: Interpretation
    near_duplicates: list[NearDuplicate]


class DryRun(StoredClass):
    """A class as it would be stored, with the degrees of all attributes."""

    degrees: list[Degree]


class ChangedClass(ClassSummary, Tagged):
    """A class just replaced or changed; `interpretation` is that of a new description."""

    version: int
    revision: int
    hidden: bool = False
    interpretation: Interpretation | None = None
    near_duplicates: list[NearDuplicate]


class ImportedPair(NearDuplicate):
    """An imported class and another that can hardly be told apart from it."""

    imported_id: str


class Imported(Answer):
    """Classes just imported, all under one revision."""

    imported: int
    revision: int
    near_duplicates: list[ImportedPair]
    near_duplicates_checked: bool


class DeletedClass(Answer):
    """A class just deleted."""

    id: str
    revision: int


class SpaceSummary(Answer):
    """A class space; `classes` counts the registered ones."""

    name: str
    label: str
    classes: int
    revision: int
    created_at: str
    gamma: float | None


class SpaceSettings(Answer):
    """What a class space sets for its answers; a `gamma` of None is the model's."""

    name: str
    gamma: float | None
    revision: int


class SpaceList(Answer):
    """All class spaces by name."""

    spaces: list[SpaceSummary]


class ChangedSpace(Answer):
    """A class space just made, copied or deleted."""

    name: str
    revision: int


class LoggedWrite(Answer):
    """One write to a class space; `ids` names the first hundred classes of `count`."""

    revision: int
    at: str
    actor: str
    operation: str
    count: int
    ids: list[str]


class Log(Answer):
    """A page of the audit log, newest first."""

    entries: list[LoggedWrite]
