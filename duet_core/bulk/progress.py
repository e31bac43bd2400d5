"""Tells on stderr how far a job is: one line that changes on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

TERMINAL_SECONDS, LOG_SECONDS = 0.5, 60.0


class ProgressLine:
    """Counts photos.

    Args:
        total: photos of the job.
        done: those that were done before, which do not count for the rate.
        stream: where it is told, default stderr.
    """

    def __init__(self, *, total: int, done: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._total, self._before, self._now, self._refused = total, done, done, 0
        self._begun = self._told = time.monotonic()

    @property
    def photos(self) -> int:
        """Photos done in this run."""
        return self._now - self._before

    @property
    def rate(self) -> float:
        """Photos a second in this run."""
        return (self._now - self._before) / max(time.monotonic() - self._begun, 1e-9)

    def add(self, photos: int, refused: int) -> None:
        """So many more are done; of them so many were refused."""
        self._now += photos
        self._refused += refused
        if time.monotonic() - self._told >= (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            self._tell()

    def close(self) -> None:
        """Leave the terminal's line; once."""
        if self._terminal:
            self._terminal = False
            self._stream.write("\n")
            self._stream.flush()

    def _tell(self) -> None:
        self._told = time.monotonic()
        left = (self._total - self._now) / self.rate if self._now > self._before else 0.0
        text = f"{self._now} of {self._total} photos, {self.rate:.1f}/s, {duration(left)} left, {self._refused} refused"
        self._stream.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
        self._stream.flush()


def duration(seconds: float) -> str:
    """For people: '45 s', '12 min', '3 h 05 min'.

    >>> duration(11_100)
    '3 h 05 min'
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"
