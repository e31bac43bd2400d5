"""What a training run tells while it goes on: a progress bar with an estimate, a CSV file and TensorBoard."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

_RATES = ("lr_vision", "lr_language", "lr_cross_modal", "lr_new")
_COLUMNS = ("step", "stage", "loss", "cc", "ar", "sc", "con", "cmr", "acl", *_RATES)


class TrainingLog:
    """Progress on the terminal, `log.csv` and TensorBoard events in the run's folder."""

    def __init__(self, folder: Path, *, total: int, first: int, enabled: bool) -> None:
        """Open the log of a run of `total` steps that starts, or goes on, at step `first`.

        What an earlier part of the run told about step `first` and later ones is dropped: it ended after its newest
        checkpoint, and these steps are trained again. A log that is not `enabled` (every process but the first)
        writes nothing.
        """
        self._enabled = enabled
        self._bar = tqdm(
            total=total, initial=first, desc=folder.name, unit="step", disable=not enabled, mininterval=5.0
        )
        if not enabled:
            return
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "log.csv"
        _cut(file, first)
        self._file = file.open("a", newline="")
        self._csv = csv.DictWriter(self._file, _COLUMNS)
        self._board = SummaryWriter(folder, purge_step=first)

    def write(self, step: int, stage: str, losses: dict[str, Tensor], *, rates: dict[str, float]) -> None:
        """Record the losses of one step; this is where the host waits for the device.

        Args:
            step: counted from 0 over the whole run.
            stage: T_CLS or T_CSG.
            losses: by name, scalars.
            rates: learning rate of each part of the model, by its name: vision, language, cross_modal, new.
        """
        if not self._enabled:
            return
        values = {name: float(value) for name, value in losses.items()}
        self._csv.writerow(
            {"step": step, "stage": stage}
            | {name: f"{value:.5g}" for name, value in values.items()}
            | {f"lr_{part}": f"{rate:.3g}" for part, rate in rates.items()}
        )
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(f"{stage}/{name}", value, step)
        for part, rate in rates.items():
            self._board.add_scalar(f"lr/{part}", rate, step)
        self._bar.set_postfix(stage=stage, loss=f"{values['loss']:.3f}")

    def advance(self) -> None:
        """Count one step as done."""
        self._bar.update()

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        if self._enabled:
            self._file.close()
            self._board.close()


def _cut(file: Path, first: int) -> None:
    """Leave a CSV log with today's columns and its rows of steps before `first`; made when there is none.

    A row that was cut off when the run was killed is dropped too.
    """
    rows: list[dict[str, str]] = []
    if file.exists():
        with file.open(newline="") as opened:
            rows = [row for row in csv.DictReader(opened) if None not in row.values() and int(row["step"]) < first]
    temporary = file.with_suffix(".tmp")
    with temporary.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, _COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(file)
