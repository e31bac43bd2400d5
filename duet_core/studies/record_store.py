"""The records of a folder, found by what was trained: equal recipes share their runs, whatever study asked for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from duet_core.config import TrainConfig
from duet_core.recipe import identity
from duet_core.record import Record, row_of
from duet_core.studies.study import StudyError


@dataclass(frozen=True)
class RunKey:
    """What makes a run the run it is.

    Attributes:
        identity: of the recipe, `duet_core.recipe.identity`.
        split: validation or test.
        seed: of the run.
        validation_seeds: of the runs that chose the γ of a test run; empty for a validation run.
    """

    identity: str
    split: str
    seed: int
    validation_seeds: tuple[int, ...]

    @classmethod
    def of(cls, config: TrainConfig, split: str, seed: int) -> RunKey:
        """The key of a run of a configuration."""
        return cls(identity(config), split, seed, config.run.validation_seeds if split == "test" else ())


class RecordStore:
    """All records below a folder, such as training/records."""

    def __init__(self, folder: Path) -> None:
        """Read them; the folder need not exist yet."""
        self.folder = folder
        self._seen: set[Path] = set()
        self._records: dict[RunKey, Record] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read what has been written since, by whom ever."""
        for file in sorted(self.folder.rglob("*.json")):
            if file not in self._seen:
                self._seen.add(file)
                self._read(file)

    def find(self, key: RunKey) -> Record | None:
        """The record of a run, None when it is not finished."""
        return self._records.get(key)

    def gamma(self, config: TrainConfig) -> float | None:
        """The mean γ of a configuration's validation runs, None while one of them is not finished."""
        found = [self.find(RunKey.of(config, "validation", seed)) for seed in config.run.validation_seeds]
        gammas = [record.metrics["gamma"] for record in found if record is not None]
        return fmean(gammas) if len(gammas) == len(found) else None

    def _read(self, file: Path) -> None:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StudyError(f"{file}: not JSON ({error}); put the record back, or remove it to train again") from error
        if not isinstance(content, dict) or not {"row", "split", "seed", "metrics", "recipe"} <= content.keys():
            return  # not a record
        record = Record(**content)
        if record.row != row_of(record.recipe):
            return  # a baseline's: it has the recipe of another model
        seeds = tuple(record.recipe["run"]["validation_seeds"]) if record.split == "test" else ()
        self._records.setdefault(RunKey(identity(record.recipe), record.split, record.seed, seeds), record)
