"""Made-up studies and records, without any training."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from duet_core.record import Record, row_of
from duet_core.studies import Study, StudyRow, load_study

PLAIN: dict[str, Any] = {
    "title": "Tiny",
    "recipe": "recipe.yaml",
    "seeds": [0, 1, 2],
    "rows": {"base": {}, "one": {"set": {"loss.lambda_con": 0.0}}, "two": {"set": {"sampling.rho": 0.0}}},
}


def write_study(folder: Path, name: str = "tiny", **changes: Any) -> Study:
    """A study in `folder`, which must be the working directory, with changes of its fields."""
    (folder / "recipe.yaml").write_text("data: {root: somewhere}\n")
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(PLAIN | changes, sort_keys=False))
    return load_study(file)


def write_record(file: Path, row: StudyRow, seed: int, *, split: str = "test", gamma: float = 0.5, **h: float) -> None:
    """A record of a row; metrics are 0.5 unless given."""
    metrics = dict.fromkeys(("T1", "U", "S", "H", "AUSUC"), 0.5) | h | {"gamma": gamma}
    Record(
        row=row_of(row.config),
        split=split,
        seed=seed,
        metrics=metrics,
        seconds=60.0 * (seed + 1),
        photos={},
        unseen=2,
        recipe=dataclasses.asdict(row.config),
    ).write(file)
