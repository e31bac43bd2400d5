"""The machine that numbers belong to, and what its processes use of it. Linux only: read from /proc."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import onnxruntime

from duet_core.runtime.sessions import thread_count

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def describe(*packages: str) -> dict[str, Any]:
    """Cores, processor, memory and versions; neither a host's name nor a path. `packages` are named with versions."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    models = [line.partition(":")[2].strip() for line in cpu.splitlines() if line.startswith("model name")]
    memory = int(Path("/proc/meminfo").read_text(encoding="utf-8").split()[1])
    return {
        "cores": thread_count(),
        "processor": models[0] if models else platform.machine(),
        "memory_gb": round(memory / 1e6),
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        **{name: importlib.metadata.version(name) for name in packages},
    }


def in_words(machine: dict[str, Any]) -> str:
    """One line for a page.

    >>> in_words({"cores": 2, "processor": "AMD EPYC", "memory_gb": 24, "python": "3.11.2", "onnxruntime": "1.32.0"})
    '2 cores of AMD EPYC, 24 GB, Python 3.11.2, onnxruntime 1.32.0'
    """
    first = f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gb']} GB, Python {machine['python']}"
    rest = [f"{name} {value}" for name, value in machine.items() if name not in _NAMED]
    return ", ".join([first, *rest])


_NAMED = ("cores", "processor", "memory_gb", "python")


def processor_seconds(session: int) -> float:
    """Processor seconds used so far by the living processes of a session, and by those they have waited for."""
    return sum(sum(int(part) for part in fields[11:15]) for fields in _stats(session)) / TICKS


def resident_mb(session: int) -> float:
    """Resident memory of the processes of a session in MB (10^6 bytes)."""
    return sum(int(fields[21]) for fields in _stats(session)) * PAGE / 1e6


def peak_resident_mb(process: int) -> float:
    """Most resident memory that one process has had so far, in MB."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    (peak,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return peak * 1024 / 1e6


def busy_seconds() -> float:
    """Processor seconds that all processes of the machine have used since it started, waiting for the disk left out."""
    user, nice, system, _, _, irq, soft = (
        int(part) for part in Path("/proc/stat").read_text(encoding="utf-8").split("\n")[0].split()[1:8]
    )
    return (user + nice + system + irq + soft) / TICKS


def _stats(session: int) -> list[list[str]]:
    """Of each process of a session: the fields of /proc/PID/stat from the state on (its third)."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if int(fields[3]) == session:
            found.append(fields)
    return found
