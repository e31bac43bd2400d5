"""Records of finished runs: what is kept of them, where they lie, how they are printed. No torch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duet_core.config import TrainConfig
from duet_core.recipe import changed_fields

METRICS = ("T1", "U", "S", "H", "AUSUC")
"""What a run is judged by, in the order of every table."""


class ProtocolError(ValueError):
    """A finished run that does not belong to the recipe it is asked for."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is kept of a finished run; small enough for the repository.

    Attributes:
        row: the row of the results table, for example "duet", "vision_only" or "duet+prototypes".
        split: "validation" or "test".
        seed: of the run.
        metrics: T1, U, S, H, AUSUC as fractions, and the γ they were measured at.
        seconds: wall time of the training alone.
        photos: number of photos and checksum of their rows, for each part of the split.
        unseen: number of unseen classes.
        recipe: the whole configuration.
    """

    row: str
    split: str
    seed: int
    metrics: dict[str, float]
    seconds: float
    photos: dict[str, str]
    unseen: int
    recipe: dict[str, Any]

    def write(self, file: Path) -> None:
        """Write the record as JSON, whole or not at all: a record that exists says that its run is finished."""
        write_json(file, dataclasses.asdict(self))

    @classmethod
    def read(cls, file: Path) -> Record:
        """The record in a file written by `write`."""
        return cls(**json.loads(file.read_text()))


def row_of(recipe: TrainConfig | dict[str, Any]) -> str:
    """The row of the results table that a recipe's runs belong to: the variant, and what is made of it afterwards.

    The recipe may be plain data as a record has it, also of before there were prototypes.
    """
    plain = dataclasses.asdict(recipe) if isinstance(recipe, TrainConfig) else recipe
    return f"{plain['variant']}+prototypes" if plain.get("prototypes", {}).get("fit") else str(plain["variant"])


def finished(folder: Path, config: TrainConfig) -> Record | None:
    """The record of the run in `folder`; None when it is not finished.

    Raises ProtocolError when it was made with another recipe; the message names the fields.
    """
    file = folder / "record.json"
    if not file.exists():
        return None
    record = Record.read(file)
    changed = changed_fields(record.recipe, config)
    if changed:
        raise ProtocolError(
            f"{file} is of another recipe: {', '.join(changed)} changed; choose another --out or remove that folder"
        )
    return record


def figures(metrics: Mapping[str, float]) -> str:
    """T1, U, S, H and AUSUC in percent and γ, as every command prints them."""
    shares = "  ".join(f"{name} {100 * metrics[name]:.2f}" for name in METRICS)
    return f"{shares}  γ {metrics['gamma']:.4f}"


def run_folder(out: Path, split: str, seed: int) -> Path:
    """Where the run of a seed on a split lies below the folder of a recipe's runs."""
    return out / split / f"seed{seed}"


def write_json(file: Path, data: dict[str, Any]) -> None:
    """Write JSON under a temporary name first, then renamed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(data, indent=1) + "\n")
    temporary.replace(file)
