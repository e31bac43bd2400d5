"""A worker as its parent sees it: started with its threads, handed a job, asked for the outcome, ended."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from duet_core.studies.worker import Job, Outcome, work

_THREADS = "OMP_NUM_THREADS"
_PATIENCE = 10.0
"""Seconds that a process gets to end before it is killed."""


class WorkerHandle:
    """One worker process."""

    def __init__(self, *, device: str | None, threads: int, log: Path) -> None:
        """Start it.

        Args:
            device: to train on; None for CUDA where there is a device, else the CPU.
            threads: of torch, unless the environment says OMP_NUM_THREADS.
            log: file for what it prints.
        """
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, device, log), daemon=True)
        with _environment({} if _THREADS in os.environ else {_THREADS: str(threads)}):  # read as torch loads
            self._process.start()
        theirs.close()

    def send(self, job: Job | None) -> None:
        """Hand over a job, or None for the end; a worker that has died is noticed when its outcome is asked for."""
        try:
            self.connection.send(job)
        except (BrokenPipeError, ConnectionResetError):
            return

    def receive(self) -> tuple[Outcome, bool]:
        """The outcome of the job, waited for, and whether the worker lives to do another."""
        try:
            outcome: Outcome = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join(_PATIENCE)
            return Outcome(error=f"its process ended with exit code {self._process.exitcode}"), False
        return outcome, True

    def stop(self, *, at_once: bool) -> None:
        """End the process: when it has nothing to do, or at once; its run then goes on from the newest checkpoint."""
        if at_once:
            self._process.terminate()
        else:
            self.send(None)
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.connection.close()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables in the body that were not set before."""
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            del os.environ[name]
