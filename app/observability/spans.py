"""What a request's trace is told. Costs one look at a context variable where nobody traces, and imports nothing.

Work passes between threads, so a span is not found by the thread that does the work: who hands the work over asks
`here()` and hands the answer over with it. Moments are those of `time.monotonic()`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from app.observability.request_record import current

Attributes = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """A request's own span, under which its stages are told when they have ended. Safe in every thread."""

    def stage(
        self, name: str, began: float, ended: float, *, error: BaseException | None, attributes: Attributes
    ) -> None:
        """A stage of this request alone."""
        ...

    def batch(self, others: Sequence[Span], began: float, ended: float, *, error: BaseException | None) -> None:
        """One run of the model for the photos of these requests, this one's among them."""
        ...


def here() -> Span | None:
    """The span of the request that this code runs for, or None where none is traced."""
    request = current()
    return request.span if request is not None else None


@contextmanager
def stage(name: str) -> Iterator[None]:
    """What is done inside is a stage of the request that this code runs for."""
    span = here()
    if span is None:
        yield
        return
    began, error = time.monotonic(), None
    try:
        yield
    except BaseException as caught:
        error = caught
        raise
    finally:
        span.stage(name, began, time.monotonic(), error=error, attributes={})


def tell(span: Span | None, name: str, began: float, ended: float, **attributes: str | int | float | bool) -> None:
    """A stage that has ended; `span` is what `here()` said when the work was handed over."""
    if span is not None:
        span.stage(name, began, ended, error=None, attributes=attributes)


def tell_batch(spans: Sequence[Span | None], began: float, ended: float, *, error: BaseException | None = None) -> None:
    """One run of the model, for the photos of these requests."""
    traced = [span for span in spans if span is not None]
    if traced:
        traced[0].batch(traced, began, ended, error=error)
