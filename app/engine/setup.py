"""The engine's parts as the settings want them."""

from __future__ import annotations

from app.engine.admission import Admission
from app.engine.standing import StandingQueue
from app.engine.supervision import Supervision
from app.engine.worker import Batching
from app.metrics import Metrics
from app.settings import Settings
from duet_core.runtime.sessions import Choice


def admission_of(settings: Settings, metrics: Metrics) -> Admission:
    """The places there are."""
    limit = settings.queue_images
    queue = StandingQueue(steady=settings.steady_images or limit)
    return Admission(limit=limit, key_limit=settings.key_queue_images, queue=queue, metrics=metrics)


def batching_of(settings: Settings) -> Batching:
    """How photos are put together; batches are padded on a GPU unless the settings say otherwise."""
    padded = settings.device == "cuda" if settings.pad_batches is None else settings.pad_batches
    return Batching(max_batch=settings.max_batch, max_delay=settings.max_delay_ms / 1000, padded=padded)


def describe_batching(batching: Batching) -> dict[str, Choice]:
    """How photos are put together, and why, for an operator."""
    delayed = "a batch waits so long to fill" if batching.max_delay else "what waits is taken at once"
    sizes = ", ".join(map(str, batching.sizes))
    why = f"few shapes for a GPU: {sizes}" if batching.padded else "black rows are work for nothing on a CPU"
    return {
        "max_batch": Choice(batching.max_batch, "DUET_MAX_BATCH"),
        "max_delay": Choice(f"{batching.max_delay * 1000:g} ms", f"DUET_MAX_DELAY_MS; {delayed}"),
        "padded_batches": Choice(batching.padded, why),
    }


def supervision_of(settings: Settings) -> Supervision:
    """When the model counts as hung, broken or dead."""
    return Supervision(
        model_timeout=settings.model_timeout_seconds,
        canary_every=settings.canary_seconds,
        max_deaths=settings.max_worker_deaths,
        tick=min(0.5, settings.model_timeout_seconds / 4),
    )
