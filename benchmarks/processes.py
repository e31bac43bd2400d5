"""Steps of the birds recipe by one process and by two, what a process tells the others, and how long drawing takes.

``python -m benchmarks processes``. Both take the same steps: one process with 32 anchors, two with 16 each, on random
images in place of the cached stages. CUDA is not measured: the processes talk through gloo on this machine.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import torch
import torch.distributed
from torch import Tensor
from transformers import BertConfig, BertModel

from duet_core.config import DataConfig, TrainConfig
from duet_core.config_file import load_config
from duet_core.experiment import Experiment
from duet_core.model.build import build_duet
from duet_core.model.language import LanguageEncoder
from duet_core.processes import Processes
from duet_core.trainer import Trainer

RECIPE = Path("training/configs/birds.yaml")
BATCH, WARM, STEPS, ROUNDS = 32, 2, 12, 3
ATTRIBUTES = 312
"""Of CUB."""


class RandomImages:
    """What the frozen stages could have given: (b, 32, 24, 24), for 192 pixels."""

    def train_batch(self, rows: Tensor, generator: torch.Generator, own: Tensor | None = None) -> Tensor:
        """One random image for each row asked for."""
        return torch.rand(len(rows if own is None else own), 32, 24, 24, generator=generator)

    def eval_batch(self, rows: Tensor) -> Tensor:
        """The same for photos to judge."""
        return self.train_batch(rows, torch.Generator())


def without_weights() -> Experiment:
    """The birds recipe on random encoder weights, which do not matter for the time."""
    config = load_config(RECIPE)
    vision = dataclasses.replace(config.vision, weights=None, pretrained=False)
    return Experiment(dataclasses.replace(config, vision=vision), device=torch.device("cpu"))


def take_steps(processes: Processes, folder: Path) -> float:
    """Seconds of this process for STEPS steps of BATCH anchors in all, after some to warm up."""
    experiment = without_weights()
    optimizer = dataclasses.replace(experiment.config.optimizer, batch_size=BATCH // processes.world)
    eight, two = 8 // processes.world, 2 // processes.world  # the recipe's 8, 8 and 2 for all together
    sampling = dataclasses.replace(experiment.config.sampling, csg_anchors=eight, con_anchors=eight, acl_anchors=two)
    experiment.config = dataclasses.replace(experiment.config, optimizer=optimizer, sampling=sampling)
    split = experiment.split("test")
    planner = experiment.planner(split)
    trainer = Trainer(
        task=experiment.build_task(split, planner, seed=0),
        planner=planner,
        images=RandomImages(),
        config=experiment.config,
        seed=0,
        folder=folder,
        device=experiment.device,
        processes=processes,
    )
    trainer.fit(stop_after=WARM)
    before = trainer.seconds
    trainer.fit(stop_after=WARM + STEPS)
    return trainer.seconds - before


def worker(folder: Path) -> None:
    """One of the processes that `seconds_of` starts; the first tells the time."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1:
        torch.distributed.init_process_group("gloo")
    processes = Processes(rank=torch.distributed.get_rank() if world > 1 else 0, world=world)
    taken = take_steps(processes, folder / "run")
    if processes.rank == 0:
        (folder / "seconds.json").write_text(json.dumps(taken))
    if world > 1:
        torch.distributed.destroy_process_group()


def seconds_of(world: int, threads: int) -> float:
    """Seconds a step takes `world` processes of `threads` threads each."""
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(world)] if world > 1 else []
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, *start, "-m", "benchmarks.processes", folder],
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{world} processes failed:\n{done.stderr[-3000:]}")
        return float(json.loads((Path(folder) / "seconds.json").read_text())) / STEPS


def show_steps() -> None:
    """Steps a second of one process and of two, and their ratio within each round."""
    cases = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes, 1 thread each": (2, 1)}
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):  # in turn, so that what else the machine does meets all alike
        for name, case in cases.items():
            times.setdefault(name, []).append(seconds_of(*case))
    base = times["1 process, 1 thread"]
    print(f"birds recipe, {BATCH} anchors a step in all, median of {ROUNDS} rounds of {STEPS} steps")
    print("| | steps a second | against 1 process, 1 thread |\n|---|---|---|")
    for name, each in times.items():
        ratio = statistics.median(first / own for first, own in zip(base, each, strict=True))
        print(f"| {name} | {1 / statistics.median(each):.2f} | {ratio:.2f} |", flush=True)


def show_bytes() -> None:
    """What a process of the paper's model sends and receives in a step, from its sizes alone."""
    config = TrainConfig(data=DataConfig(root=""))  # DeiT-base and BERT-base
    config = dataclasses.replace(config, vision=dataclasses.replace(config.vision, pretrained=False))
    language = LanguageEncoder(network=BertModel(BertConfig(), add_pooling_layer=False), frozen_layers=0)
    with patch("duet_core.model.build.load_language_encoder", lambda **_: language):
        model = build_duet(config, attributes=ATTRIBUTES, seed=0)
    weights = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    photos, width = 2 * config.optimizer.batch_size, config.cross_modal.contrast_width
    print(f"DeiT-base and BERT-base, {weights / 1e6:.1f} million weights that train, {photos // 2} anchors a process")
    print("| processes | gradients, MB an update | H(v) gathered, MB a step of stage CLS |\n|---|---|---|")
    for world in (2, 8, 64):
        ring = 2 * (world - 1) / world * 4 * weights  # all-reduce in a ring
        gathered = (world - 1) * photos * width * 4
        back = 2 * (world - 1) / world * world * photos * width * 4
        print(f"| {world} | {ring / 1e6:.0f} | {(gathered + back) / 1e6:.2f} |")


def show_drawing() -> None:
    """How long each process draws the whole step and makes its own sentences, beside the step before."""
    torch.set_num_threads(1)
    experiment = without_weights()
    sampling = dataclasses.replace(experiment.config.sampling, csg_anchors=None, acl_anchors=None, con_anchors=None)
    experiment.config = dataclasses.replace(experiment.config, sampling=sampling)
    planner = experiment.planner(experiment.split("test"))
    print("drawing a step of stage CSG, 50 anchors a process with five partners each, one thread, its own time")
    print("| processes | ms a step |\n|---|---|")
    for world in (1, 2, 8, 32):
        positions, times = torch.arange(50 * world) % len(planner.train_rows), []
        for step in range(3):
            started = time.thread_time()  # of this thread: whatever else the machine does
            planner.plan(positions, "CSG", torch.Generator().manual_seed(step), processes=Processes(0, world))
            times.append(1000 * (time.thread_time() - started))
        print(f"| {world} | {statistics.median(times):.0f} |", flush=True)


def main() -> None:
    """Print the three tables; with a folder, be one of the processes that are measured."""
    if len(sys.argv) > 1:
        worker(Path(sys.argv[1]))
        return
    show_bytes()
    show_drawing()
    show_steps()


if __name__ == "__main__":
    main()
