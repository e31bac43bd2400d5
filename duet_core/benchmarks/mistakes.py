"""A mistake in a file that a person wrote, with the place where it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands: a file, and in it a line and a column, both counted from 1; 0 for the whole file.

    In a CSV the column is that of the table: 2 is the second cell of the line.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)


@dataclass(frozen=True, order=True)
class Mistake:
    """What is wrong at a place: what was got, what is allowed, what to do."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"
