"""The service with a model that can be held back, killed or hung from outside, by a word in a file.

`uvicorn tests.app.breakable_service:create_app --factory`; BREAK_MODEL names the file. Every call of the model is a
line of the file beside it, with the mean of each photo's pixels.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray

from app.main import create_app as real_app
from duet_core.runtime import Encoded, Encoder

WORD = "BREAK_MODEL"


def create_app() -> FastAPI:
    """The real application, with another `encode_pixels`."""
    file = Path(os.environ[WORD])
    whole = Encoder.encode_pixels

    def breakable(self: Encoder, pixels: NDArray[np.float32]) -> Encoded:
        with file.with_suffix(".calls").open("a") as calls:
            calls.write(" ".join(f"{row.mean():.2f}" for row in pixels) + "\n")
        while (word := file.read_text() if file.exists() else "") == "hold":
            time.sleep(0.01)
        if word == "die":
            raise SystemExit("told to die")
        return whole(self, pixels)

    Encoder.encode_pixels = breakable  # type: ignore[method-assign]
    return real_app()
