"""When a request is sent again, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRIED = (429, 503)
"""What the service answers when it has done nothing and asks to come back."""


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How patient a client is.

    Attributes:
        attempts: how often a request is sent at most; 1 never repeats.
        first: seconds of the first pause; the next are up to twice, four times, … as long.
        longest: seconds of the longest pause of our own choice; a Retry-After may ask for more.
        patience: seconds of all pauses of a request together. A Retry-After beyond what is left ends it at once.
    """

    attempts: int = 4
    first: float = 0.25
    longest: float = 8.0
    patience: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.first, self.longest, self.patience) < 0:
            raise ValueError(f"got {self}; attempts is at least 1, seconds are at least 0, as in Retries(attempts=4)")

    def pause(self, attempt: int, *, waited: float, retry_after: float | None) -> float | None:
        """Seconds to wait after the failure of `attempt` (from 1), or None to give up.

        Never less than the service asked for; otherwise a random share of a growing span, so that clients that were
        refused together do not come back together.
        """
        if attempt >= self.attempts:
            return None
        span = min(self.longest, self.first * 2 ** (attempt - 1))
        chosen = random.uniform(span / 2, span)
        if retry_after is not None:
            chosen = retry_after + random.uniform(0, span / 2)
        if waited + (retry_after if retry_after is not None else chosen) > self.patience:
            return None
        return min(chosen, self.patience - waited)


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for: a whole number, or a date (RFC 9110). None where it says nothing."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())
