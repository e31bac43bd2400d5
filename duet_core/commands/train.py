"""`duet train`: the whole protocol of one recipe, from decoded photos to judged test runs."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from duet_core.config_file import load_config
from duet_core.record import Record, figures, run_folder

if TYPE_CHECKING:  # torch is imported when the command runs: its help needs none
    import torch

    from duet_core.experiment import Experiment
    from duet_core.processes import Processes


def run(
    config: Path, *, out: Path | None = None, set: Sequence[str] = (), validate_only: bool = False
) -> Iterator[str]:
    """Train a recipe: choose γ and the calibration on validation classes, retrain on trainval, judge test once.

    Everything finished in the output folder is kept and read: the same command goes on after an interruption.

    Args:
        config: the recipe, such as training/configs/birds.yaml.
        out: folder of the runs; default runs/<recipe>/<variant>.
        set: a change to the recipe, such as variant=vision_only; may be given again.
        validate_only: stop after the validation run; test photos are not touched.
    """
    import torch.distributed

    from duet_core.experiment import Experiment

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = load_config(config, *set)
    processes, device = _start_processes()
    folder = out or Path("runs") / config.stem / recipe.variant
    experiment = Experiment(recipe, device=device, processes=processes)
    if processes.world == 1:
        yield from _protocol(experiment, folder, validate_only=validate_only)
        return
    before = signal.signal(signal.SIGTERM, _stopped)
    try:
        processes.check_shared(folder)
        yield from _protocol(experiment, folder, validate_only=validate_only)
    finally:
        signal.signal(signal.SIGTERM, before)
    torch.distributed.destroy_process_group()  # after an error it would wait for those that are gone


def _stopped(*_: object) -> None:
    """Answer torchrun, which ends the other processes when one has died, with more than silence."""
    from duet_core.processes import ProcessLostError

    raise ProcessLostError(
        "told to stop (SIGTERM), because another process has ended or the job was cancelled; the newest checkpoint is "
        "kept: the same command goes on from there"
    )


def _protocol(experiment: Experiment, folder: Path, *, validate_only: bool) -> Iterator[str]:
    """One line for each finished run, as it finishes; the first process alone speaks."""
    from duet_core import protocol

    config = experiment.config
    calibration = protocol.validate(experiment, out=folder)
    for seed in config.run.validation_seeds if experiment.is_main else ():
        yield _line(Record.read(run_folder(folder, "validation", seed) / "record.json"))
    if validate_only:
        return
    for seed in config.run.seeds:
        record = protocol.judge_test(experiment, seed=seed, gamma=calibration["gamma"], out=folder)
        if experiment.is_main:
            yield _line(record)


def _line(record: Record) -> str:
    name = f"{record.row} {record.split} seed {record.seed}"
    return f"{name}:  {figures(record.metrics)}  {record.seconds / 60:.1f} min"


def _start_processes() -> tuple[Processes, torch.device]:
    """This process's place in the run: alone, or among those that torchrun started."""
    import torch.distributed

    from duet_core.processes import Processes

    world = int(os.environ.get("WORLD_SIZE", "1"))
    cuda = torch.cuda.is_available()
    if world == 1:
        return Processes(), torch.device("cuda" if cuda else "cpu")
    local = int(os.environ["LOCAL_RANK"])
    if cuda:  # before NCCL starts: otherwise every process also opens a context on device 0
        torch.cuda.set_device(local)
    torch.distributed.init_process_group("nccl" if cuda else "gloo")
    processes = Processes(rank=torch.distributed.get_rank(), world=world, local=local)
    return processes, torch.device(f"cuda:{local}" if cuda else "cpu")
