"""`duet study run`: trains what is missing of a study, and goes on after an interruption."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from duet_core.studies.record_store import RecordStore
from duet_core.studies.run_list import run_list
from duet_core.studies.runner import StudyRunner
from duet_core.studies.study import StudyError
from duet_core.studies.study_file import load_study

RECORDS = Path("training/records")


def run(
    study: Path,
    *,
    only: str = "",
    seeds: str = "",
    workers: int = 1,
    devices: str = "",
    records: Path = RECORDS,
    runs: Path = Path("runs/studies"),
    dry_run: bool = False,
) -> Iterator[str]:
    """Train the runs of a study that have no record yet, each by the honest protocol, and write their records.

    A run whose recipe is the same as one of any other study counts as that run. The same command goes on after an
    interruption, from the newest checkpoint of each run, and on any machine that has the records.

    Args:
        study: such as training/studies/table3.yaml.
        only: rows, separated by commas; default all.
        seeds: seeds, separated by commas; default the study's own.
        workers: runs at a time; each has its share of the cores, or OMP_NUM_THREADS threads.
        devices: one worker for each of these, separated by commas, such as cuda:0,cuda:1; default CUDA where there is
            a device, else the CPU.
        records: folder of all records; the study's are written into a folder of its name there.
        runs: folder for checkpoints, which are removed when a run is finished, and logs.
        dry_run: only say which runs are missing.
    """
    if workers < 1:
        raise ValueError(f"--workers: got {workers}; allowed is 1 or more")
    definition = load_study(study)
    wanted = run_list(definition, rows=_names(only), seeds=_numbers(seeds))
    store = RecordStore(records)
    if dry_run:
        missing = [one for one in wanted if store.find(one.key) is None]
        yield f"{definition.name}: {len(wanted)} runs, {len(missing)} to train"
        yield from map(str, missing)
        return
    if importlib.util.find_spec("torch") is None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    places: list[str | None] = [*_names(devices)] or [None] * workers
    runner = StudyRunner(definition, wanted, store, folder=runs, devices=places)
    with _terminate_as_interrupt():
        yield from runner.lines()
    if runner.failed:
        told = "\n".join(f"  {one}: {error}" for one, error in runner.failed.items())
        raise RuntimeError(f"{len(runner.failed)} runs failed; their tracebacks are in {runs / 'logs'}:\n{told}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str) -> list[int]:
    try:
        return [int(name) for name in _names(text)]
    except ValueError:
        raise StudyError(f"--seeds: got {text!r}; allowed are whole numbers, such as 0,1,2") from None


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM ends the body as Ctrl-C does, so that workers are ended too."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
