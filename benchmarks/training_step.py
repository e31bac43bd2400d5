"""A training step in one forward pass against a loop over its anchors: images a second, arithmetic, memory.

``python -m benchmarks.training_step`` takes the paper's encoders (DeiT-base, BERT-base) and the small ones
(MobileNetV2, MiniLM), untrained but for MiniLM, and the same drawn steps for both ways: the loop in ``_sample_loop.py``
and `DuetTask`, each with its backward pass and AdamW, one after the other in every round. A third row of the small ones
is a step of ``training/configs/birds.yaml``: frozen stages from the cache, fewer sentences and partners. Images are
anchors; an image's time is ρ that of stage CSG plus (1 - ρ) that of stage CLS. On a CUDA device:

    python -m benchmarks.training_step --device cuda --batch 50 --bf16

``training_step.json`` keeps the last run of each kind of device.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from benchmarks import _sample_loop
from benchmarks._machine import in_turn, machine
from benchmarks._models import BIRDS, PAPER, bert_base
from benchmarks._steps import STAGES, Steps, steps
from benchmarks.report.training_step_section import run_table
from benchmarks.serving import results
from benchmarks.serving.machine import busy_seconds, peak_resident_mb
from duet_core.config_file import load_config
from duet_core.runtime import open_bundle
from duet_core.runtime.sessions import thread_count
from duet_core.step_plan import Stage, StepPlan
from duet_core.task import DuetTask

BUNDLE = Path("models/birds")
SMALL = Path("training/configs/birds_gpu.yaml")
LOOP, OURS, RECIPE = "one anchor after the other", "one forward pass", "birds.yaml: cache, fewer sentences"

Loss = Callable[[DuetTask, StepPlan, Tensor], Tensor]


def batched(task: DuetTask, plan: StepPlan, images: Tensor) -> Tensor:
    """The loss of a step as the trainer computes it."""
    losses: dict[str, Tensor] = task(plan, images)
    return losses["loss"]


def step(made: Steps, stage: Stage, loss: Loss, *, bf16: bool) -> None:
    """One whole step, up to the moved weights."""
    plan, images = made.plans[stage], made.images[stage]
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=bf16):
        value = loss(made.task, plan, images)
    value.backward()  # type: ignore[no-untyped-call]
    made.optimizer.step()
    made.optimizer.zero_grad(set_to_none=True)
    if images.is_cuda:
        torch.cuda.synchronize()


def matrix_rate(device: torch.device, *, bf16: bool) -> float:
    """Floating point operations a second of one large product of matrices as precise as the steps, at its best."""
    side = 8192 if device.type == "cuda" else 2048
    square = torch.randn(side, side, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)

    def product() -> None:
        square @ square
        if device.type == "cuda":
            torch.cuda.synchronize()

    return 2 * side**3 / (in_turn({"": product}, rounds=20)[""].least / 1000)


def added_mb(device: torch.device, work: Callable[[], object]) -> float:
    """Most memory that `work` adds to what was in use before: of the device, or of this process (Linux)."""
    gc.collect()
    if device.type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        work()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    ctypes.CDLL(None).malloc_trim(0)  # glibc keeps what is freed, and would lend it to `work` uncounted
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts again from what is resident now
    before_mb = peak_resident_mb(os.getpid())
    work()
    return peak_resident_mb(os.getpid()) - before_mb


def convolution_backward_flops(
    gradient: Sequence[int], images: Sequence[int], weight: Sequence[int], *rest: Any, **_: object
) -> int:
    """Those of the forward pass for each gradient asked for, of shapes; torch's own count takes groups for one."""
    transposed, output_mask = rest[4], rest[7]
    forward: int = conv_flop_count(list(images), list(weight), list(gradient), transposed)
    return forward * int(sum(output_mask[:2]))


COUNTED = {torch.ops.aten.convolution_backward: convolution_backward_flops}
"""Operations that torch's counter is told how to count."""


def count(made: Steps, loss: Loss, *, bf16: bool) -> dict[str, float]:
    """What does not depend on the machine's speed: operations an image, and memory of the larger stage's step."""
    device, flops, mb = made.images["CSG"].device, {}, 0.0
    for stage in reversed(STAGES):  # CSG last: by then the optimiser's states are there, which no step adds again
        with FlopCounterMode(display=False, custom_mapping=COUNTED) as counter:
            mb = added_mb(device, partial(step, made, stage, loss, bf16=bf16))
        flops[stage] = counter.get_total_flops()
    return {"tflop_an_image": _an_image(made, flops["CSG"], flops["CLS"]) / 1e12, "step_mb": mb}


def _an_image(made: Steps, csg: float, cls: float) -> float:
    """What steps of both stages cost, as the mean of an image."""
    return (made.rho * csg + (1 - made.rho) * cls) / made.batch


def measure(ways: Mapping[str, tuple[Steps, Loss]], *, rounds: int, bf16: bool, rate: float) -> list[dict[str, Any]]:
    """A row for each way, the ratio being that to the first; `rate` in operations a second."""
    counts = {name: count(made, loss, bf16=bf16) for name, (made, loss) in ways.items()}
    calls: dict[str, Callable[[], object]] = {
        f"{name} {stage}": partial(step, made, stage, loss, bf16=bf16)
        for name, (made, loss) in ways.items()
        for stage in STAGES
    }
    timings = in_turn(calls, rounds=rounds, warm=0)  # counting was the warm-up
    rows: list[dict[str, Any]] = []
    for name, (made, _) in ways.items():
        taken = {stage: timings[f"{name} {stage}"] for stage in STAGES}
        csg, cls = (taken[stage].median / 1000 for stage in STAGES)
        a_second = 1 / _an_image(made, csg, cls)
        processor = _an_image(made, *(taken[stage].processor / 1000 for stage in STAGES))
        rows.append(
            {
                "way": name,
                "batch": made.batch,
                "images_per_second": a_second,
                "processor_seconds_an_image": processor,
                "ratio": a_second / rows[0]["images_per_second"] if rows else 1.0,
                "processor_ratio": rows[0]["processor_seconds_an_image"] / processor if rows else 1.0,
                "csg_seconds": csg,
                "cls_seconds": cls,
                "share_of_matrix_rate": 1e12 * counts[name]["tflop_an_image"] * a_second / rate,
                **counts[name],
            }
        )
    return rows


def contenders(name: str, folder: Path, device: torch.device, batch: int | None) -> dict[str, tuple[Steps, Loss]]:
    """The ways to take a step of the "paper" or the "small" encoders; `folder` is for what has to be written."""
    bundle = open_bundle(BUNDLE)
    if name == "paper":
        config = load_config(PAPER, f"language.name={bert_base(folder)}")
        made = steps(config, bundle, batch=batch or 2, device=device)
        return {LOOP: (made, _sample_loop.step_loss), OURS: (made, batched)}
    made, birds = steps(load_config(SMALL), bundle, batch=batch or 4, device=device), load_config(BIRDS)
    recipe = steps(birds, bundle, batch=birds.optimizer.batch_size, device=device)
    return {LOOP: (made, _sample_loop.step_loss), OURS: (made, batched), RECIPE: (recipe, batched)}


def run(asked: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """What was measured on a device, and beside what."""
    begun, used, busy = time.perf_counter(), time.process_time(), busy_seconds()
    rate, encoders = matrix_rate(device, bf16=asked.bf16), {}
    for name in asked.model or ("paper", "small"):
        with tempfile.TemporaryDirectory() as folder:
            ways = contenders(name, Path(folder), device, asked.batch)
            encoders[name] = measure(ways, rounds=asked.rounds, bf16=asked.bf16, rate=rate)
    others = busy_seconds() - busy - (time.process_time() - used)
    return {
        "machine": torch.cuda.get_device_name() if device.type == "cuda" else machine(asked.threads),
        "bf16": asked.bf16,
        "rounds": asked.rounds,
        "matrix_tflops": rate / 1e12,
        "others": max(0.0, others) / ((time.perf_counter() - begun) * thread_count()),
        "encoders": encoders,
    }


def main() -> None:
    """Print the table and put the run into training_step.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("paper", "small"), action="append", help="default: both")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--batch", type=int, help="anchors of a step, 2 or more; default 2 (paper) and 4 (small)")
    parser.add_argument("--bf16", action="store_true", help="autocast to bfloat16, both ways")
    parser.add_argument("--threads", type=int, default=thread_count(), help="of the processor")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=results.FOLDER, help="folder of training_step.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    device = torch.device(asked.device)
    found = run(asked, device)
    print(run_table(found["encoders"]))
    results.save("training_step", {**(results.load("training_step", asked.out) or {}), device.type: found}, asked.out)


if __name__ == "__main__":
    main()
