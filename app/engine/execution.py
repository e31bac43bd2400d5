"""From settings to how a bundle's sessions are run; used whenever a bundle is opened."""

from __future__ import annotations

from app.settings import Settings
from duet_core.runtime import CPU, CUDA, Execution


def execution_of(settings: Settings) -> Execution:
    """Provider, threads and limits as the settings ask for them."""
    return Execution(
        providers=CUDA if settings.device == "cuda" else CPU,
        threads=settings.threads,
        processes=settings.processes,
        gpu_memory_mb=settings.gpu_memory_mb,
    )
