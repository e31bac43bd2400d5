"""A typed client of the DUET service, synchronous and asynchronous. Needs httpx and pydantic, nothing of the service.

>>> from duet_client import DuetClient, NewClass
>>> with DuetClient("http://localhost:8000") as duet:
...     duet.add_class(NewClass(id="dodo", label="Dodo", prompt="a large grey bird with a hooked bill"))
...     duet.classify(Path("photo.jpg")).predictions[0].label
"""

from duet_client.aio import AsyncDuetClient
from duet_client.answers import (
    AttributeEdit,
    Candidates,
    ClassesAtCoverage,
    Classification,
    Contrast,
    Edits,
    Explanation,
)
from duet_client.class_answers import (
    ChangedClass,
    ChangedSpace,
    ClassDetail,
    ClassPage,
    ClassSummary,
    DeletedClass,
    DryRun,
    Imported,
    LoggedWrite,
    NearDuplicate,
    SpaceSettings,
    SpaceSummary,
    StoredClass,
)
from duet_client.client import DuetClient
from duet_client.descriptions import ClassChange, NewClass
from duet_client.errors import (
    BadRequest,
    BadRow,
    Busy,
    Conflict,
    DuetError,
    NotAuthorized,
    NotFound,
    Problem,
    RevisionChanged,
    ServiceError,
    UnexpectedAnswer,
    Unreachable,
)
from duet_client.model_answers import CalibrationState, ModelAnswer, Schema, SwappedModel
from duet_client.retries import Retries

__all__ = [
    "AsyncDuetClient",
    "AttributeEdit",
    "BadRequest",
    "BadRow",
    "Busy",
    "CalibrationState",
    "Candidates",
    "ChangedClass",
    "ChangedSpace",
    "ClassChange",
    "ClassDetail",
    "ClassPage",
    "ClassSummary",
    "ClassesAtCoverage",
    "Classification",
    "Conflict",
    "Contrast",
    "DeletedClass",
    "DryRun",
    "DuetClient",
    "DuetError",
    "Edits",
    "Explanation",
    "Imported",
    "LoggedWrite",
    "ModelAnswer",
    "NearDuplicate",
    "NewClass",
    "NotAuthorized",
    "NotFound",
    "Problem",
    "Retries",
    "RevisionChanged",
    "Schema",
    "ServiceError",
    "SpaceSettings",
    "SpaceSummary",
    "StoredClass",
    "SwappedModel",
    "UnexpectedAnswer",
    "Unreachable",
]
