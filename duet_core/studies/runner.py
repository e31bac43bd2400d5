"""Hands the runs of a study to workers: what is finished is never trained again, what fails stops nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from statistics import fmean
from typing import cast

from duet_core.record import Record, figures, run_folder
from duet_core.studies.record_store import RecordStore
from duet_core.studies.run_list import Run
from duet_core.studies.study import Study
from duet_core.studies.worker import Job, Outcome, clean
from duet_core.studies.worker_handle import WorkerHandle

_ELSEWHERE = 10.0
"""Seconds until a run that another process trains is asked for again."""


@dataclass
class _Slot:
    """A place for a worker on a device, and the run that it has; a worker is started when there is a run for it."""

    number: int
    device: str | None
    worker: WorkerHandle | None = None
    run: Run | None = None
    started: float = 0.0


@dataclass
class StudyRunner:
    """Runs of a study and where they go.

    Attributes:
        study: for its name.
        runs: wanted, in order.
        store: all records; those of this study lie in its folder of the study's name.
        folder: for checkpoints and logs, one folder a recipe.
        devices: one worker for each; None for CUDA where there is a device, else the CPU.
        failed: what did not work, each with its error, when the lines have been read to the end.
    """

    study: Study
    runs: Sequence[Run]
    store: RecordStore
    folder: Path
    devices: Sequence[str | None] = (None,)
    failed: dict[Run, str] = field(default_factory=dict)
    _pending: list[Run] = field(default_factory=list)
    _later: dict[Run, float] = field(default_factory=dict)
    _seconds: list[float] = field(default_factory=list)
    _finished: int = 0

    def lines(self) -> Iterator[str]:
        """Train what is missing; one line for each run that ends, with what is left. Ends its workers in any case."""
        self._pending = [run for run in self.runs if self.store.find(run.key) is None]
        for run in self.runs:
            if run not in self._pending:
                clean(run_folder(self._run_folder(run), run.split, run.seed))
        self._finished = len(self.runs) - len(self._pending)
        slots = [_Slot(n, device) for n, device in enumerate(self.devices[: max(1, len(self._pending))])]
        yield f"{self.study.name}: {len(self.runs)} runs, {self._finished} finished, {len(self._pending)} to train"
        try:
            while self._pending or any(slot.run for slot in slots):
                yield from self._hand_out(slots)
                yield from self._collect(slots)
        finally:
            for slot in slots:
                if slot.worker is not None:
                    slot.worker.stop(at_once=slot.run is not None)

    def _hand_out(self, slots: list[_Slot]) -> Iterator[str]:
        """Give every idle slot the first run that can be made now."""
        self.store.refresh()
        yield from self._drop_finished()
        yield from self._drop_hopeless([slot.run for slot in slots if slot.run])
        for slot in slots:
            run = next((run for run in self._pending if self._is_ready(run)), None) if slot.run is None else None
            if run is None:
                continue
            self._pending.remove(run)
            slot.worker = slot.worker or self._start(slot, len(slots))
            slot.run, slot.started = run, time.monotonic()
            slot.worker.send(self._job(run))

    def _is_ready(self, run: Run) -> bool:
        has_gamma = run.split == "validation" or self.store.gamma(run.row.config) is not None
        return has_gamma and self._later.get(run, 0.0) <= time.monotonic()

    def _drop_finished(self) -> Iterator[str]:
        """Runs that others have finished meanwhile."""
        for run in list(self._pending):
            record = self.store.find(run.key)
            if record is not None:
                self._pending.remove(run)
                yield self._line(run, record)

    def _drop_hopeless(self, running: list[Run]) -> Iterator[str]:
        """Test runs whose γ nobody will choose any more, because the validation run has failed."""
        alive = {run.key.identity for run in (*self._pending, *running) if run.split == "validation"}
        for run in list(self._pending):
            missing = run.split == "test" and self.store.gamma(run.row.config) is None
            if missing and run.key.identity not in alive:
                self._pending.remove(run)
                yield self._failure(run, "no γ: its validation run failed")

    def _collect(self, slots: list[_Slot]) -> Iterator[str]:
        """Wait until a worker has something to say, or until a run of another process is to be asked for again."""
        working = {slot.worker.connection: slot for slot in slots if slot.worker is not None and slot.run is not None}
        if not working:
            time.sleep(_ELSEWHERE / 10 if self._later else 0)
        for connection in wait(list(working), _ELSEWHERE) if working else ():
            slot = working[cast(Connection, connection)]
            assert slot.worker is not None
            assert slot.run is not None
            outcome, lives = slot.worker.receive()
            run, seconds = slot.run, time.monotonic() - slot.started
            slot.run = None
            if not lives:
                slot.worker.stop(at_once=True)
                slot.worker = None
            yield from self._ended(run, outcome, seconds)

    def _ended(self, run: Run, outcome: Outcome, seconds: float) -> Iterator[str]:
        if outcome.error:
            yield self._failure(run, outcome.error)
        elif outcome.record is None:  # trained elsewhere just now
            self._later[run] = time.monotonic() + _ELSEWHERE
            self._pending.append(run)
        else:
            self._seconds.append(seconds)
            self.store.refresh()
            yield self._line(run, outcome.record)

    def _line(self, run: Run, record: Record) -> str:
        self._finished += 1
        left = len(self.runs) - self._finished - len(self.failed)
        told = f"[{self._finished}/{len(self.runs)}] {run}:  {figures(record.metrics)}  {record.seconds / 60:.1f} min"
        if not left or not self._seconds:
            return told
        return f"{told}; {left} left, about {_duration(fmean(self._seconds) * left / len(self.devices))}"

    def _failure(self, run: Run, error: str) -> str:
        self.failed[run] = error
        return f"{run} FAILED: {error}"

    def _run_folder(self, run: Run) -> Path:
        return self.folder / run.key.identity

    def log(self, number: int) -> Path:
        """Where what a worker prints is kept."""
        return self.folder / "logs" / f"{self.study.name}-{number}.log"

    def _start(self, slot: _Slot, workers: int) -> WorkerHandle:
        threads = max(1, _cores() // workers)
        return WorkerHandle(device=slot.device, threads=threads, log=self.log(slot.number))

    def _job(self, run: Run) -> Job:
        return Job(
            name=f"{self.study.name}: {run}",
            config=run.row.config,
            split=run.split,
            seed=run.seed,
            gamma=self.store.gamma(run.row.config) if run.split == "test" else None,
            file=run.file(self.store.folder / self.study.name),
            records=self.store.folder,
            folder=self._run_folder(run),
        )


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"
