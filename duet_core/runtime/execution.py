"""What the open session of a bundle really runs with, and why: the answer of GET /model, read back from the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime

from duet_core.runtime.sessions import CPU, CUDA, Choice, choose_threads

if TYPE_CHECKING:
    from duet_core.runtime.bundle import Bundle

_WHY_PRECISION = {
    "float32": "as trained; right on every machine",
    "float16": "half of the memory and faster on GPUs; a CPU computes it in float32 and is slower",
    "int8": "for CPUs; its loss was measured before it was written",
}


def describe_execution(bundle: Bundle) -> dict[str, Choice]:
    """The settings of `bundle.vision`, by name."""
    session, asked = bundle.vision, bundle.execution
    options = session.get_session_options()
    provider = str(session.get_providers()[0])
    threads = choose_threads(asked)
    spins = options.get_session_config_entry("session.intra_op.allow_spinning") != "0"
    chosen = {
        "provider": Choice(provider, "asked for; when it cannot be had, the service does not start"),
        "threads": Choice(options.intra_op_num_threads, threads.why),
        "spinning": Choice(spins, "threads that spin while they wait take the CPU from those that work"),
        "cpu_arena": Choice(
            options.enable_cpu_mem_arena, "the arena keeps the memory of the largest batch and saves no time"
        ),
        "memory_pattern": Choice(options.enable_mem_pattern, "batches differ in size; a plan of each would be kept"),
        "graph_optimisation": Choice(
            str(options.graph_optimization_level).rpartition(".")[2], "done once, when the session is opened"
        ),
        "precision": Choice(bundle.precision, _WHY_PRECISION[bundle.precision]),
        "onnxruntime": Choice(onnxruntime.__version__, "installed"),
    }
    if provider == CUDA[0]:
        given = session.get_provider_options()[provider]
        limit = None if asked.gpu_memory_mb is None else int(given["gpu_mem_limit"]) // 2**20
        why = "no limit was set" if limit is None else "asked for"
        chosen |= {
            "gpu_memory_mb": Choice(limit, f"{why}; of each session's arena"),
            "gpu_arena": Choice(given["arena_extend_strategy"], "grows by what is needed, not to a power of two"),
            "cudnn_search": Choice(given["cudnn_conv_algo_search"], "measuring all algorithms costs every new batch"),
        }
    return chosen


def is_suited(precision: str, provider: str) -> bool:
    """Whether a bundle's precision has kernels of its own on a provider: int8 has them on CPUs only."""
    return precision != "int8" or provider == CPU[0]
