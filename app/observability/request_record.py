"""What is known of the request that is being answered, for its log lines, its errors and its trace."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

if TYPE_CHECKING:
    from app.observability.spans import Span

WELL_FORMED = re.compile(r"[A-Za-z0-9._:=-]{1,128}")
"""A request id that is taken over from a client; anything else could forge lines in a log that is not ours."""
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")

_CURRENT: ContextVar[RequestRecord | None] = ContextVar("duet_request", default=None)


@dataclass
class RequestRecord:
    """One request, known to everything that runs for it: threads started with the context of the request, too.

    Attributes:
        id: of the client's X-Request-ID where that is well-formed, else made.
        trace_id, span_id: 32 and 16 hexadecimal digits, or "". Without tracing, the trace is the client's.
        span: of this request, where it is traced (spans.py).
        decisions: "accepted" or "rejected" for each photo decided on, in their order.
    """

    id: str
    trace_id: str = ""
    span_id: str = ""
    span: Span | None = None
    decisions: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, headers: Headers) -> RequestRecord:
        """The record of a request that has just arrived."""
        asked = headers.get("x-request-id", "")
        trace = TRACEPARENT.fullmatch(headers.get("traceparent", ""))
        return cls(asked if WELL_FORMED.fullmatch(asked) else uuid.uuid4().hex, trace[1] if trace else "")

    def ids(self) -> dict[str, str]:
        """The ids that there are, by name."""
        named = {"request_id": self.id, "trace_id": self.trace_id, "span_id": self.span_id}
        return {name: value for name, value in named.items() if value}


def current() -> RequestRecord | None:
    """The request that this code runs for, or None outside of any."""
    return _CURRENT.get()


def begin(record: RequestRecord) -> None:
    """Make it the current one for all that follows in this context: a server gives each request its own."""
    _CURRENT.set(record)
