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


def machine() -> str:
    """One line: processor, threads, and the instructions for int8."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    pairs = (line.partition(":") for line in text.split("\n"))
    fields = {key.strip(): value.strip() for key, _, value in pairs}
    flags = set(fields.get("flags", "").split())
    known = [name for name in _INT8 if name in flags]
    return f"{fields.get('model name', 'unknown processor')}, {thread_count()} threads, {' '.join(known) or 'no AVX2'}"


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call: the median over the rounds, and the least."""

    median: float
    least: float


def in_turn(calls: Mapping[str, Callable[[], object]], *, rounds: int, warm: int = 2) -> dict[str, Timing]:
    """Wall time of each call, one after the other in every round; the first `warm` rounds do not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(warm + rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if turn >= warm:
                times[name].append(1000 * (time.perf_counter() - started))
    return {name: Timing(statistics.median(taken), min(taken)) for name, taken in times.items()}
