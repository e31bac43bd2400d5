"""Processes that share the CPUs of one host: each with all of them, or each with its part (`DUET_PROCESSES`).

``python -m benchmarks.replicas`` runs the demo bundle's encoder in as many processes as there are CPUs, some seconds in
each arrangement, one arrangement after the other in every round. Photos a second of all processes together, and the
median and the slowest hundredth of one photo's time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._machine import machine
from benchmarks.serving import results
from duet_core.runtime import Encoder, Execution, open_bundle
from duet_core.runtime.sessions import thread_count

BUNDLE = Path("models/birds")
_OPENING = 15.0
"""Seconds in which every process has opened the bundle, on a busy machine too; all begin together after them."""


def work(processes: int, begin: float, seconds: float) -> dict[str, Any]:
    """Encode one photo after the other from a wall time on; the times in ms, and the processor time of all in ms."""
    encoder = Encoder(open_bundle(BUNDLE, execution=Execution(processes=processes)))
    pixels = np.random.default_rng(0).standard_normal((1, 3, 192, 192), dtype=np.float32)
    encoder.encode_pixels(pixels)
    if (early := begin - time.time()) < 0:
        raise RuntimeError(f"ready {-early:.1f} s after the others were to begin; the machine is too busy: try again")
    time.sleep(early)
    times, used = [], time.process_time()
    while time.time() < begin + seconds:
        begun = time.perf_counter()
        encoder.encode_pixels(pixels)
        times.append(1000 * (time.perf_counter() - begun))
    return {"times": times, "processor": 1000 * (time.process_time() - used)}


def arrangement(count: int, told: int, seconds: float) -> dict[str, float]:
    """`count` processes that were told that `told` share the CPUs, for some seconds."""
    begin = time.time() + _OPENING
    command = [sys.executable, "-m", "benchmarks.replicas", "--work", str(told), str(begin), str(seconds)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    found = [json.loads(process.communicate()[0]) for process in running]
    times = sorted(value for one in found for value in one["times"])
    return {
        "photos_a_second": len(times) / seconds,
        "median_ms": statistics.median(times),
        "slowest_hundredth_ms": times[int(0.99 * (len(times) - 1))],
        "processor_ms": sum(one["processor"] for one in found) / len(times),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=max(2, os.cpu_count() or 2))
    parser.add_argument("--seconds", type=float, default=8.0, help="of each arrangement in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=results.FOLDER, help="folder of replicas.json")
    parser.add_argument("--work", nargs=3, metavar=("TOLD", "BEGIN", "SECONDS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        print(json.dumps(work(int(asked.work[0]), *map(float, asked.work[1:]))))
        return
    count = asked.processes
    arrangements = {"one process": (1, 1), "each with all CPUs": (count, 1), "each with its part": (count, count)}
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in arrangements}
    for _ in range(asked.rounds):
        for name, (running, told) in arrangements.items():
            rounds[name].append(arrangement(running, told, asked.seconds))
    print(f"{machine()}; medians of {asked.rounds} rounds of {asked.seconds:g} s")
    names = ["arrangement", "processes", "threads of each", "photos a second", "median ms", "slowest hundredth ms"]
    print("| " + " | ".join([*names, "processor ms"]) + " |")
    print("|---|---|---|---|---|---|---|")
    for name, (running, told) in arrangements.items():
        figures = {key: statistics.median(one[key] for one in rounds[name]) for key in rounds[name][0]}
        threads = max(1, thread_count() // told)
        print(f"| {name} | {running} | {threads} | " + " | ".join(f"{value:.1f}" for value in figures.values()) + " |")
    results.save("replicas", {"machine": machine(), "rounds": rounds}, asked.out)


if __name__ == "__main__":
    main()
