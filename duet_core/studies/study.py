"""What a study is: a base recipe, rows that change it, seeds, and what the paper reports of the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from duet_core.config import TrainConfig

FEWEST_SEEDS = 3
"""Below it a mean with a deviation says little."""


class StudyError(ValueError):
    """All mistakes of a study's file, one a line, each by line number and name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyRow:
    """One row of a study.

    Attributes:
        name: short, names the folder of its records.
        label: as the paper calls it.
        changes: ``section.field`` -> value, what the row itself sets; the study's shared changes are not among them.
        config: the whole configuration.
        paper: the paper's own figure in percent, None when it has none.
    """

    name: str
    label: str
    changes: Mapping[str, Any]
    config: TrainConfig
    paper: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """A study as its file says it.

    Attributes:
        name: the file's name without ending.
        title: what it studies, in a line.
        seeds: of the test runs of every row, three or more.
        rows: in the order in which they are shown.
        compare_with: names of the rows that all others are compared with.
        metric: what is compared and drawn, one of `METRICS`.
        source: where the paper's figures stand; empty when there are none.
        sweep: the field whose values are the x axis, None for a table; rows that do not set it are level lines.
    """

    name: str
    title: str
    seeds: tuple[int, ...]
    rows: tuple[StudyRow, ...]
    compare_with: tuple[str, ...] = ()
    metric: str = "H"
    source: str = ""
    sweep: str | None = None

    def row(self, name: str) -> StudyRow:
        """The row of this name.

        Raises StudyError when there is none.
        """
        for row in self.rows:
            if row.name == name:
                return row
        names = ", ".join(row.name for row in self.rows)
        raise StudyError(f"study {self.name}: no row {name!r}; there are {names}")
