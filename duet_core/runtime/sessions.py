"""ONNX Runtime sessions with settings that hold up in containers (threads from the quota, no spinning, no arena)."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

CPU = ("CPUExecutionProvider",)
CUDA = ("CUDAExecutionProvider", *CPU)
"""What CUDA has no kernel for runs on the CPU."""

_CGROUP = Path("/sys/fs/cgroup")


class ProviderError(RuntimeError):
    """The accelerator asked for is not the one the session would run on."""


@dataclass(frozen=True)
class Choice:
    """One setting of a session: its value, and why it has it, in words for an operator."""

    value: str | int | bool | None
    why: str


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Where and with how much of the machine the sessions of a bundle run.

    Attributes:
        providers: ONNX Runtime execution providers in order of preference; the first must really be used.
        threads: intra-op threads of a session; None for what `choose_threads` finds.
        processes: how many such processes share the CPUs that this one may use; each takes its part.
        gpu_memory_mb: most MB of GPU memory that each session's arena takes; None for no limit.
    """

    providers: tuple[str, ...] = CPU
    threads: int | None = None
    processes: int = 1
    gpu_memory_mb: int | None = None


ON_CPU = Execution()


def thread_count(cgroup: Path = _CGROUP) -> int:
    """Threads one session of a process alone on its CPUs may use, at least 1; see `choose_threads`."""
    return int(choose_threads(ON_CPU, cgroup).value or 1)


def choose_threads(execution: Execution, cgroup: Path = _CGROUP) -> Choice:
    """Intra-op threads, at least 1: those asked for, else this process's part of its CPUs.

    That is the smaller of the CPUs it may run on and its CPU quota, over the processes that share them. ONNX Runtime's
    own default counts the CPUs of the host, which costs several times the latency in a container.
    """
    if execution.threads is not None:
        return Choice(execution.threads, "asked for")
    allowed, quota, processes = len(os.sched_getaffinity(0)), _cpu_quota(cgroup), execution.processes
    why = f"may run on {allowed} CPU{'s' * (allowed != 1)}, "
    why += "no CPU quota" if quota is None else f"quota of {quota:g}"
    granted = allowed if quota is None else min(allowed, math.ceil(quota))
    if processes > 1:
        why += f", shared by {processes} processes"
    return Choice(max(1, granted // processes), why)


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


def cuda_options(gpu_memory_mb: int | None) -> dict[str, str]:
    """Options of the CUDA provider, as ONNX Runtime takes them.

    The arena grows by what is asked for, not to the next power of two, so that a limit is of use and others keep their
    part of the GPU. Convolution algorithms come from cuDNN's heuristics: the search that is the default measures all of
    them anew for every batch size. Under a limit cuDNN is not given its largest workspace, which may exceed it.
    """
    options = {
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        "do_copy_in_default_stream": "1",
    }
    if gpu_memory_mb is not None:
        options |= {"gpu_mem_limit": str(gpu_memory_mb * 2**20), "cudnn_conv_use_max_workspace": "0"}
    return options


def session_options(execution: Execution) -> onnxruntime.SessionOptions:
    """The options of one session, whatever its provider."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = choose_threads(execution).value
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False  # batches differ in size; plans for each would be kept for ever
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def open_session(path: Path, execution: Execution = ON_CPU) -> onnxruntime.InferenceSession:
    """Open one ONNX model.

    Raises:
        ProviderError: the first provider is not installed or could not start; nothing falls back silently.
    """
    wanted = execution.providers[0]
    if wanted not in onnxruntime.get_available_providers():
        raise ProviderError(
            f"{wanted} is not available; this ONNX Runtime has {onnxruntime.get_available_providers()}. "
            "For CUDA: pip uninstall onnxruntime, then pip install -r requirements/gpu.txt in the repository"
        )
    if wanted == CUDA[0]:
        onnxruntime.preload_dlls()  # the CUDA libraries that pip installs lie where the loader does not look
    providers = [
        (name, cuda_options(execution.gpu_memory_mb)) if name == CUDA[0] else name for name in execution.providers
    ]
    session = onnxruntime.InferenceSession(str(path), session_options(execution), providers=providers)
    session.disable_fallback()
    if session.get_providers()[0] != wanted:
        raise ProviderError(f"{path.name}: asked for {wanted}, ONNX Runtime chose {session.get_providers()}")
    return session
