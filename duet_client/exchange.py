"""One request until it is answered or given up: decides, but neither sends nor sleeps, so both clients share it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import BaseModel

from duet_client.calls import Call
from duet_client.errors import Unreachable, error_of
from duet_client.retries import RETRIED, Retries, retry_after_seconds

Reply = TypeVar("Reply", bound=BaseModel)


@dataclass(frozen=True)
class Send:
    """Send the request; answer with Received or Broken."""


@dataclass(frozen=True)
class Wait:
    """Wait; answer with None."""

    seconds: float


@dataclass(frozen=True)
class Received:
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Broken:
    """No answer. `sent` is False when the request cannot have reached the service."""

    error: httpx.TransportError
    sent: bool


Step = Send | Wait
Outcome = Received | Broken | None


def exchange(call: Call[Reply], retries: Retries, server: str) -> Generator[Step, Outcome, Reply]:
    """Yields what to do next and is sent what came of it; returns the answer.

    Repeated are answers 429 and 503, connections that could not be made, and for requests that change nothing also
    connections that broke. Raises ServiceError, Unreachable, UnexpectedAnswer.
    """
    attempt, waited = 0, 0.0
    while True:
        attempt += 1
        outcome = yield Send()
        if isinstance(outcome, Received) and 200 <= outcome.status < 300:
            return call.read(outcome.body, outcome.headers)
        retry_after = None
        if isinstance(outcome, Received):
            retry_after = retry_after_seconds(outcome.headers.get("retry-after"))
            again = outcome.status in RETRIED
        else:
            assert isinstance(outcome, Broken)
            again = call.repeatable or not outcome.sent
        pause = retries.pause(attempt, waited=waited, retry_after=retry_after) if again else None
        if pause is None:
            raise _failure(outcome, server, attempt, retry_after)
        waited += pause
        yield Wait(pause)


def broken(error: httpx.TransportError) -> Broken:
    """What a failed transport means: only before there is a connection is the request known not to have arrived."""
    return Broken(error, sent=not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout))


def _failure(outcome: Received | Broken, server: str, attempts: int, retry_after: float | None) -> Exception:
    if isinstance(outcome, Received):
        return error_of(outcome.status, outcome.body, attempts=attempts, retry_after=retry_after)
    times = "once" if attempts == 1 else f"{attempts} times"
    unsure = "; it may have been done all the same" if outcome.sent else ""
    said = str(outcome.error) or type(outcome.error).__name__
    failure = Unreachable(f"no answer from {server}, asked {times}: {said}{unsure}")
    failure.__cause__ = outcome.error
    return failure
