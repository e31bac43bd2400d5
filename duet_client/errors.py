"""What the client raises: the service's own words as exceptions."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class BadRow(BaseModel):
    """A row of an import that kept it from being stored: its number from 1, and the problem it would be on its own."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    row: int
    id: str
    problem: str
    message: str


class Problem(BaseModel):
    """An error as the service describes it (RFC 9457). Further members, such as `nearest`, are in `model_extra`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str = "about:blank"
    title: str = "Error"
    status: int
    detail: str = ""
    instance: str | None = None
    advice: str | None = None
    request_id: str | None = None
    got: Any = None
    allowed: Any = None
    example: Any = None
    errors: list[Any] = []

    @property
    def bad_rows(self) -> list[BadRow]:
        """The rows for which an import was refused; the service names the first hundred."""
        return [BadRow.model_validate(error) for error in self.errors if isinstance(error, dict) and "row" in error]

    @property
    def slug(self) -> str:
        """The last part of `type`, such as ``class-exists``."""
        return self.type.rpartition("/")[2]


class DuetError(RuntimeError):
    """Base of everything the client raises."""


class Unreachable(DuetError):
    """No answer: the address is wrong, the service is down, or the connection broke."""


class UnexpectedAnswer(DuetError):
    """An answer that is not the service's: another program at that address, or another version of the API."""


class RevisionChanged(DuetError):
    """The class space was written to while its pages were read."""


class ServiceError(DuetError):
    """The service answered with a problem.

    Attributes:
        problem: what it said.
        attempts: how often the request was sent. A write that was sent more than once may have been done by an
            attempt whose answer got lost: then `Conflict` says that the class exists, or `NotFound` that it is gone.
        retry_after: seconds the service asked to wait, or None.
    """

    def __init__(self, problem: Problem, *, attempts: int = 1, retry_after: float | None = None) -> None:
        self.problem = problem
        self.attempts = attempts
        self.retry_after = retry_after
        advice = f" {problem.advice}" if problem.advice else ""
        super().__init__(f"{problem.title} ({problem.status}): {problem.detail}{advice}")


class BadRequest(ServiceError):
    """400, 408, 413, 415, 422: change the request."""


class NotAuthorized(ServiceError):
    """401, 403: no key, an unknown key, or one without the scope."""


class NotFound(ServiceError):
    """404: no such class, image or path."""


class Conflict(ServiceError):
    """409: the class exists, belongs to the bundle, or was changed meanwhile. 412 likewise."""


class Busy(ServiceError):
    """429, 503, and every attempt was answered so: come back after `retry_after`."""


_KINDS: dict[int, type[ServiceError]] = {
    400: BadRequest,
    401: NotAuthorized,
    403: NotAuthorized,
    404: NotFound,
    408: BadRequest,
    409: Conflict,
    412: Conflict,
    413: BadRequest,
    415: BadRequest,
    422: BadRequest,
    429: Busy,
    503: Busy,
}


def error_of(status: int, body: bytes, *, attempts: int, retry_after: float | None) -> ServiceError:
    """The exception for an answer with an error status; a proxy's page in place of a problem is shown as detail."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        problem = Problem(status=status, detail=body[:200].decode("utf-8", "replace").strip() or "no explanation")
    kind = _KINDS.get(status, ServiceError)
    return kind(problem, attempts=attempts, retry_after=retry_after)
