"""A typed client of the DUET service, synchronous and asynchronous. Needs httpx and pydantic, nothing of the service.

>>> from duet_client import DuetClient, NewClass
>>> with DuetClient("http://localhost:8000") as duet:
...     duet.add_class(NewClass(id="dodo", label="Dodo", prompt="a large grey bird with a hooked bill"))
...     duet.classify(Path("photo.jpg")).predictions[0].label
"""

from duet_client.aio import AsyncDuetClient
from duet_client.answers import (
    Candidates,
    ClassDetail,
    Classification,
    ClassPage,
    ClassSummary,
    DeletedClass,
    Explanation,
    Schema,
    StoredClass,
)
from duet_client.client import DuetClient
from duet_client.errors import (
    BadRequest,
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
from duet_client.retries import Retries
from duet_client.rows import NewClass, Row, RowMistake, RowReport, read_rows, write_rows

__all__ = [
    "AsyncDuetClient",
    "BadRequest",
    "Busy",
    "Candidates",
    "ClassDetail",
    "ClassPage",
    "ClassSummary",
    "Classification",
    "Conflict",
    "DeletedClass",
    "DuetClient",
    "DuetError",
    "Explanation",
    "NewClass",
    "NotAuthorized",
    "NotFound",
    "Problem",
    "Retries",
    "RevisionChanged",
    "Row",
    "RowMistake",
    "RowReport",
    "Schema",
    "ServiceError",
    "StoredClass",
    "UnexpectedAnswer",
    "Unreachable",
    "read_rows",
    "write_rows",
]
