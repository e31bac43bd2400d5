"""What was found in a benchmark folder, one row for each check, as a table in plain text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

State = Literal["ok", "repaired", "missing", "wrong", "skipped"]
"""skipped: what the check rests on is missing or wrong, or an optional file is not there. It stops nothing."""

_WIDEST = 60

STOPS: tuple[State, ...] = ("missing", "wrong")


@dataclass(frozen=True)
class Check:
    """One row: what was looked at, and what came of it.

    Attributes:
        name: what was looked at, such as "trainval_loc".
        state: what came of it.
        got: what was found.
        expected: what was to be found.
        advice: what to do about it.
    """

    name: str
    state: State
    got: str = ""
    expected: str = ""
    advice: str = ""

    @property
    def problem(self) -> str:
        """The row as a line of an error message: ``name: got …, expected …; advice``."""
        expected = f", expected {self.expected}" if self.expected else ""
        return f"{self.name}: got {self.got}{expected}" + (f"; {self.advice}" if self.advice else "")


@dataclass(frozen=True)
class Report:
    """Everything that is to be said of a folder.

    Attributes:
        title: which benchmark lies where.
        checks: all rows, also those after the first that failed.
        figures: (what, here, in the paper) for comparison; nothing follows from a difference.
        figures_head: heads of the three columns of `figures`.
    """

    title: str
    checks: Sequence[Check]
    figures: Sequence[tuple[str, str, str]] = ()
    figures_head: tuple[str, str, str] = field(default=("figure", "here", "paper"))

    @property
    def is_usable(self) -> bool:
        """Whether a model can be trained on it: nothing is missing or wrong."""
        return not any(check.state in STOPS for check in self.checks)

    def text(self) -> str:
        """Title, table of checks with the advice below what needs it, figures, and the verdict."""
        parts = [self.title, check_table(self.checks)]
        if self.figures:
            parts.append("\n".join(columns([self.figures_head, *self.figures])))
        return "\n\n".join([*parts, self._verdict()])

    def _verdict(self) -> str:
        stopping = [check.name for check in self.checks if check.state in STOPS]
        if not stopping:
            repaired = sum(check.state == "repaired" for check in self.checks)
            return "can be trained on" + (f"; {repaired} repaired on reading, no file was changed" if repaired else "")
        return f"cannot be trained on yet: {', '.join(stopping)}"


def check_table(checks: Sequence[Check]) -> str:
    """The rows in columns (state, check, got, expected); advice stands in a line of its own below its row."""
    head = ("state", "check", "got", "expected")
    lines = columns([head, *((check.state, check.name, check.got, check.expected) for check in checks)])
    table = lines[:1]
    for line, check in zip(lines[1:], checks, strict=True):
        table.append(line)
        if check.advice:
            table.append(f"          -> {check.advice}")
    return "\n".join(table)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the cells of each column below one another, two spaces apart; longer cells than 60 jut out."""
    widths = [max(min(len(cell), _WIDEST) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
