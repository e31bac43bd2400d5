"""What a training run tells while it goes on: a progress bar with an estimate, a CSV file and TensorBoard."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

_COLUMNS = ("step", "stage", "loss", "cc", "ar", "sc", "con", "cmr", "acl", "lr")


class TrainingLog:
    """Progress on the terminal, `log.csv` and TensorBoard events in the run's folder."""

    def __init__(self, folder: Path, *, total: int, first: int, enabled: bool) -> None:
        """Open the log of a run of `total` steps that starts, or goes on, at step `first`.

        A log that is not `enabled` (every process but the first) writes nothing.
        """
        self._enabled = enabled
        self._bar = tqdm(
            total=total, initial=first, desc=folder.name, unit="step", disable=not enabled, mininterval=5.0
        )
        if not enabled:
            return
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "log.csv"
        is_new = not file.exists()
        self._file = file.open("a", newline="")
        self._csv = csv.DictWriter(self._file, _COLUMNS)
        if is_new:
            self._csv.writeheader()
        self._board = SummaryWriter(folder)

    def write(self, step: int, stage: str, losses: dict[str, Tensor], *, lr: float) -> None:
        """Record the losses of one step; this is where the host waits for the device."""
        if not self._enabled:
            return
        values = {name: float(value) for name, value in losses.items()}
        self._csv.writerow(
            {"step": step, "stage": stage, "lr": f"{lr:.3g}"} | {k: f"{v:.5g}" for k, v in values.items()}
        )
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(f"{stage}/{name}", value, step)
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
