"""One process that trains the runs it is handed, one after the other; torch is imported in it alone."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from functools import cache
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING

from duet_core.config import DataConfig, TrainConfig, expand
from duet_core.record import Record, run_folder
from duet_core.studies.file_lock import file_lock
from duet_core.studies.record_store import RecordStore, RunKey

if TYPE_CHECKING:
    from duet_core.benchmarks import Benchmark
    from duet_core.experiment import Experiment

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A run as it is handed to a worker.

    Attributes:
        name: for the log.
        config, split, seed: what to train.
        gamma: for a test run, chosen on validation classes; None for a validation run.
        file: where its record goes.
        records: the folder in which a record of the same run, made meanwhile, would lie.
        folder: for checkpoints and logs, of all runs of this recipe.
    """

    name: str
    config: TrainConfig
    split: str
    seed: int
    gamma: float | None
    file: Path
    records: Path
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its record, or an error, or neither: another process trains the same run just now."""

    record: Record | None = None
    error: str = ""


def work(connection: Connection, device: str | None, log: Path) -> None:
    """Train what comes over the connection until None comes; the whole of a worker's life.

    Args:
        connection: brings jobs, takes outcomes.
        device: such as "cuda:1"; None for CUDA where there is a device, else the CPU.
        log: file for everything that is printed here.
    """
    from tqdm import tqdm

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: who started this process ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as opened:
        os.dup2(opened.fileno(), sys.stdout.fileno())
        os.dup2(opened.fileno(), sys.stderr.fileno())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which a process that is ended leaks
    while (job := connection.recv()) is not None:
        connection.send(_outcome(job, device))


def _end_with_parent() -> None:
    """A killed parent takes its workers along: two processes on one core would go on unseen."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _outcome(job: Job, device: str | None) -> Outcome:
    _LOGGER.info("%s in %s", job.name, job.folder)
    try:
        with file_lock(run_folder(job.folder, job.split, job.seed).with_suffix(".lock"), wait=False) as ours:
            return Outcome(record=_train(job, device)) if ours else Outcome()
    except Exception as error:  # a failing run does not stop the others
        _LOGGER.exception("%s failed", job.name)
        return Outcome(error="".join(traceback.format_exception_only(error)).strip())


def _train(job: Job, device: str | None) -> Record:
    """The record of the run, trained unless another process has just done so; nothing large is left on the disk."""
    found = RecordStore(job.records).find(RunKey.of(job.config, job.split, job.seed))
    if found is not None:
        return found
    from duet_core import protocol

    experiment = _experiment(job.config, device)
    if job.split == "validation":
        record = protocol.judge_validation(experiment, seed=job.seed, out=job.folder)
    else:
        assert job.gamma is not None
        record = protocol.judge_test(experiment, seed=job.seed, gamma=job.gamma, out=job.folder)
    record.write(job.file)
    clean(run_folder(job.folder, job.split, job.seed))
    return record


def clean(folder: Path) -> None:
    """Remove what a finished run needs no more: its checkpoint, and the copy of its record. Its logs stay."""
    for name in ("checkpoint.pt", "record.json"):
        (folder / name).unlink(missing_ok=True)


def _experiment(config: TrainConfig, device: str | None) -> Experiment:
    import torch

    from duet_core.experiment import Experiment

    experiment = Experiment(config, device=torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")))
    experiment.benchmark = _benchmark(config.data)
    with file_lock(expand(config.data.cache) / "studies.lock", wait=True):  # one worker decodes the photos for all
        _ = experiment.images
    return experiment


@cache
def _benchmark(data: DataConfig) -> Benchmark:
    """The benchmark, read once for all runs of this process."""
    from duet_core.benchmarks import open_benchmark

    return open_benchmark(data)
