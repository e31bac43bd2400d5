"""ONNX Runtime sessions with settings that hold up in containers (threads from the quota, no spinning, no arena)."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import onnxruntime

CPU = ("CPUExecutionProvider",)
CUDA = ("CUDAExecutionProvider", *CPU)
"""What CUDA has no kernel for runs on the CPU."""


class ProviderError(RuntimeError):
    """The accelerator asked for is not the one the session would run on."""


def thread_count(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Threads one session may use: the smaller of the CPUs this process may run on and its CPU quota, at least 1.

    ONNX Runtime's own default counts the CPUs of the host, which costs several times the latency in a container.
    """
    allowed = len(os.sched_getaffinity(0))
    quota = _cpu_quota(cgroup)
    return max(1, allowed if quota is None else min(allowed, math.ceil(quota)))


def _cpu_quota(cgroup: Path) -> float | None:
    """CPUs granted by the container's cgroup (version 2, else version 1), or None when it sets no limit."""
    second, first = cgroup / "cpu.max", cgroup / "cpu" / "cpu.cfs_quota_us"
    if second.is_file():
        granted, period = second.read_text().split()
        return None if granted == "max" else int(granted) / int(period)
    if first.is_file():
        granted_us = int(first.read_text())
        period_us = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
        return None if granted_us < 0 else granted_us / period_us
    return None


def open_session(
    path: Path, *, providers: Sequence[str] = CPU, threads: int | None = None
) -> onnxruntime.InferenceSession:
    """Open one ONNX model.

    Args:
        path: the model file.
        providers: ONNX Runtime execution providers in order of preference; the first must really be used.
        threads: intra-op threads, default `thread_count()`.

    Raises:
        ProviderError: the first provider is not installed or could not start; nothing falls back silently.
    """
    if providers[0] not in onnxruntime.get_available_providers():
        raise ProviderError(
            f"{providers[0]} is not available; this ONNX Runtime has {onnxruntime.get_available_providers()}. "
            "For CUDA: pip uninstall onnxruntime, then pip install -r requirements/gpu.txt in the repository"
        )
    if providers[0] == CUDA[0]:
        onnxruntime.preload_dlls()  # the CUDA libraries that pip installs lie where the loader does not look
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or thread_count()
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False  # batches differ in size; plans for each would be kept for ever
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    session.disable_fallback()
    if session.get_providers()[0] != providers[0]:
        raise ProviderError(f"{path.name}: asked for {providers[0]}, ONNX Runtime chose {session.get_providers()}")
    return session
