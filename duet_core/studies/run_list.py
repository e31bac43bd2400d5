"""The runs of a study, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from duet_core.studies.record_store import RunKey
from duet_core.studies.study import Study, StudyRow


@dataclass(frozen=True)
class Run:
    """One training run of a row, on the validation or on the test split."""

    row: StudyRow
    split: str
    seed: int

    @cached_property
    def key(self) -> RunKey:
        """What it is found by among the records."""
        return RunKey.of(self.row.config, self.split, self.seed)

    def file(self, folder: Path) -> Path:
        """Where its record is written, below the folder of the study's records."""
        return folder / self.row.name / f"{self.split}-seed{self.seed}.json"

    def __str__(self) -> str:
        return f"{self.row.name} {self.split} seed {self.seed}"


def run_list(study: Study, *, rows: Iterable[str] = (), seeds: Iterable[int] = ()) -> list[Run]:
    """Every run once: a seed of all rows before the next seed, so that a study broken off is balanced.

    Args:
        study: whose runs.
        rows: names of the only rows wanted; none for all.
        seeds: the only seeds wanted; none for the study's own.

    Raises StudyError for a row that there is not.
    """
    wanted = [study.row(name) for name in rows] or list(study.rows)
    runs: dict[RunKey, Run] = {}
    for run in _runs(wanted, tuple(seeds) or study.seeds):
        runs.setdefault(run.key, run)
    return list(runs.values())


def _runs(rows: list[StudyRow], seeds: tuple[int, ...]) -> Iterator[Run]:
    """A row's validation runs come right before its first test run, which needs their γ."""
    for seed in seeds:
        for row in rows:
            if seed == seeds[0]:
                yield from (Run(row, "validation", number) for number in row.config.run.validation_seeds)
            yield Run(row, "test", seed)
