"""One of two processes that torchrun starts: ``python -m tests.duet_core.training.worker JOB WORLD OUT``."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed

from duet_core.commands import train
from duet_core.processes import Processes
from duet_core.trainer import Trainer
from tests.duet_core.tiny_world import TinyWorld
from tests.duet_core.training import runs


def equal(world: TinyWorld, out: Path, processes: Processes) -> None:
    """Every case, for as many steps as there are."""
    with pytest.MonkeyPatch.context() as patch:
        runs.with_plain_steps(patch)
        for name, changes in runs.CASES.items():
            runs.made(world, out / name, begun=2, processes=processes, **changes).fit()
        patch.setattr("duet_core.experiment._EVAL_BATCH", 8)
        torch.save(runs.predictions(world, processes), out / f"v{processes.rank}.pt")


def resume(world: TinyWorld, out: Path, processes: Processes) -> None:
    """A whole run; one that is left off and taken up; one that is left off; and one that a single process began."""
    with pytest.MonkeyPatch.context() as patch:
        runs.with_large_epsilon(patch)
        runs.made(world, out / "whole", begun=2, processes=processes).fit()
        runs.made(world, out / "broken", begun=2, processes=processes).fit(stop_after=3)
        if processes.rank == 0:
            shutil.copytree(out / "broken", out / "left")
        runs.made(world, out / "broken", begun=2, processes=processes).fit()
        runs.made(world, out / "one", begun=1, processes=processes).fit()


def killed(world: TinyWorld, out: Path, processes: Processes) -> None:
    """`duet train` whose second process is killed in its fifth step, unless it is started again."""
    del world
    step = Trainer._step

    def dying(self: Trainer, number: int, *rest: Any) -> Any:
        is_first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0" and not (out / "again").exists()
        if number == 4 and processes.rank == 1 and is_first:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, number, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_step", dying)
        patch.setattr(train, "_start_processes", lambda: (processes, torch.device("cpu")))
        for line in train.run(out / "tiny.yaml", out=out / "runs", validate_only=True):
            sys.stdout.write(f"{line}\n")


JOBS: dict[str, Callable[[TinyWorld, Path, Processes], None]] = {"equal": equal, "resume": resume, "killed": killed}


def main() -> None:
    """Do the job of the command line in a process group on the CPU."""
    job, world, out = sys.argv[1], TinyWorld(Path(sys.argv[2])), Path(sys.argv[3])
    torch.distributed.init_process_group("gloo")
    JOBS[job](world, out, Processes(rank=torch.distributed.get_rank(), world=2))
    if torch.distributed.is_initialized():  # `duet train` ends it
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
