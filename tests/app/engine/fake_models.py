"""Models whose answers can be told beforehand, and that fail as they are told to."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.engine.inference import Batching, Inference
from app.engine.supervision import Canary, Supervision
from app.metrics import Metrics
from duet_core.runtime import Encoded

POISON = 13.0
"""A photo of this number makes the model raise."""


class NumberModel:
    """v is the photo's number, the state twice that. `go` held back lets a queue build up; `seen` are all batches."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []
        self.threads: set[threading.Thread] = set()
        self.go = threading.Event()
        self.called = threading.Event()
        self.before: Callable[[], None] = lambda: None
        """Called in the thread before each batch."""

    def __call__(self, pixels: NDArray[np.float32]) -> Encoded:
        self.called.set()
        assert self.go.wait(20)
        self.before()
        self.seen.append([float(row[0, 0, 0]) for row in pixels])
        self.threads.add(threading.current_thread())
        if (pixels == POISON).any():
            raise RuntimeError("unlucky photo")
        v = pixels[:, 0, 0]
        return Encoded(v=v, state=v * 2)

    @property
    def batches(self) -> list[int]:
        """Rows of each call."""
        return [len(batch) for batch in self.seen]


def photo(number: float) -> NDArray[np.float32]:
    """Pixels (3, 2, 2), all of them the number."""
    return np.full((3, 2, 2), number, dtype=np.float32)


def canary() -> Canary:
    """Number 0; any other answer is wrong."""
    return Canary(photo(0), lambda image: None if image.v[0] == 0 else f"v is {image.v[0]:g}, not 0")


def engine(
    model: Callable[[NDArray[np.float32]], Encoded],
    batching: Batching | None = None,
    supervision: Supervision | None = None,
    *,
    metrics: Metrics | None = None,
    tested: bool = False,
    give_up: Callable[[str], None] | None = None,
) -> Inference:
    """An engine that learns nothing of times."""
    return Inference(
        encode=model,
        batching=batching or Batching(),
        observe=lambda _seconds: None,
        metrics=metrics or Metrics(),
        supervision=supervision,
        canary=canary() if tested else None,
        give_up=give_up,
    )
