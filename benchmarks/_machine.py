"""What the machine is, as far as figures depend on it; calls timed in turn, so that its other work hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from duet_core.runtime.sessions import thread_count

_INT8 = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
"""Instructions that decide how much faster int8 is; without one of the last three, sums of products are slow."""


def machine(threads: int | None = None) -> str:
    """One line: processor, threads (default: what a session takes), and the instructions for int8."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    pairs = (line.partition(":") for line in text.split("\n"))
    fields = {key.strip(): value.strip() for key, _, value in pairs}
    flags = set(fields.get("flags", "").split())
    known = [name for name in _INT8 if name in flags]
    count = threads or thread_count()
    named = fields.get("model name", "unknown processor")
    return f"{named}, {count} thread{'s' * (count > 1)}, {' '.join(known) or 'no AVX2'}"


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call: median and least wall time over the rounds, and median processor time of all threads.

    Processor time does not count what the call had to wait for because of the machine's other work.
    """

    median: float
    least: float
    processor: float


def in_turn(calls: Mapping[str, Callable[[], object]], *, rounds: int, warm: int = 2) -> dict[str, Timing]:
    """Time of each call, one after the other in every round; the first `warm` rounds do not count."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(warm + rounds):
        for name, call in calls.items():
            wall, processor = time.perf_counter(), time.process_time()
            call()
            if turn >= warm:
                times[name].append((1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)))
    return {name: _timing(taken) for name, taken in times.items()}


def _timing(taken: list[tuple[float, float]]) -> Timing:
    walls, processors = zip(*taken, strict=True)
    return Timing(statistics.median(walls), min(walls), statistics.median(processors))
