"""`duet results`: tables of finished runs, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Literal

from duet_core.config_file import load_config
from duet_core.judging.tables import table
from duet_core.recipe import flat, recipe
from duet_core.record import METRICS, Record
from duet_core.spread import mean_and_deviation


def run(folder: Path, *, split: Literal["test", "validation"] = "test", config: Path | None = None) -> str:
    """Print what finished runs below a folder were judged at.

    Of test: mean ± standard deviation over the seeds of every row. Of validation: one line for each run, with what its
    recipe changes.

    Args:
        folder: such as runs/birds, or training/records/birds in the repository.
        split: test or validation.
        config: the recipe that validation runs are compared with; default training/configs/birds.yaml.

    Raises FileNotFoundError when there is none.
    """
    records = list(_records(folder, split))
    if not records:
        raise FileNotFoundError(f"no {split} records below {folder}; run: duet train training/configs/birds.yaml")
    if split == "test":
        return table(["row", "seeds", *METRICS, "minutes a run"], list(_test_rows(records)))
    base = flat(recipe(load_config(config or Path("training/configs/birds.yaml"))))
    return table(["changes", "seed", *METRICS], list(_validation_rows(records, base)), digits=1)


def _records(folder: Path, split: str) -> Iterator[Record]:
    for file in sorted(folder.rglob("*.json")):
        content = json.loads(file.read_text())
        if isinstance(content, dict) and content.get("split") == split and "metrics" in content:
            yield Record(**content)


def _test_rows(records: list[Record]) -> Iterator[list[str | float]]:
    """One a row of the paper's kind, the best H last."""
    rows: dict[str, list[Record]] = {}
    for record in records:
        rows.setdefault(record.row, []).append(record)
    for row, runs in sorted(rows.items(), key=lambda item: fmean(one.metrics["H"] for one in item[1])):
        figures = [mean_and_deviation([100 * one.metrics[name] for one in runs]) for name in METRICS]
        yield [row, len(runs), *figures, f"{fmean(one.seconds for one in runs) / 60:.1f}"]


def _validation_rows(records: list[Record], base: dict[str, object]) -> Iterator[list[str | float]]:
    """One a run, as `--set` would make it from the recipe, the best AUSUC last."""
    for record in sorted(records, key=lambda one: one.metrics["AUSUC"]):
        own = flat(record.recipe)
        changes = [f"{name}={json.dumps(own[name])}" for name in base if name in own and own[name] != base[name]]
        told = " ".join(changes).replace('"', "") or "none"
        yield [f"`{told}`", record.seed, *(100 * record.metrics[name] for name in METRICS)]
