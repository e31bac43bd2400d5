"""Running to its end what yields lines of progress."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")


def finished(steps: Generator[str, None, Result]) -> tuple[list[str], Result]:
    """The lines of progress, and what came out."""
    lines = []
    while True:
        try:
            lines.append(next(steps))
        except StopIteration as stop:
            return lines, stop.value
