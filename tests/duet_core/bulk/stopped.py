"""Jobs that are stopped half-way."""

from __future__ import annotations

from pathlib import Path

import pytest

from duet_core.bulk import worker
from duet_core.bulk.job import work_folder
from duet_core.cli import main


def command(photos: Path, bundle: Path, out: Path, *more: str) -> list[str]:
    """A job in many small shards."""
    words = ["bulk", str(photos), "--bundle", str(bundle), "--out", str(out), "--shard-rows", "8", "--batch", "4"]
    return [*words, *more]


def shards(out: Path) -> int:
    """Shards that are written."""
    return len(list((work_folder(out) / "shards").glob("[0-9]*.parquet")))


def stopped_after(count: int, photos: Path, bundle: Path, out: Path, *more: str) -> int:
    """Begin a job and end it by an error in the shard after so many; returns how many shards are written."""
    write, calls = worker.Worker._write, [0]

    def failing(self: worker.Worker, number: int, tables: list[object]) -> None:
        calls[0] += 1
        if calls[0] > count:
            raise OSError(28, "No space left on device")
        write(self, number, tables)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.Worker, "_write", failing)
        assert main(command(photos, bundle, out, *more)) == 2
    return shards(out)
