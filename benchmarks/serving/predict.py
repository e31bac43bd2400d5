"""The model at work without a service, for what the service is compared with: the same code, none of the rest."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.bare import decoder
from duet_core.classes import FloatArray
from duet_core.runtime import Encoder, open_bundle, rank_calibrated


class Predictor:
    """Decodes, preprocesses, computes and ranks. Letter key: B photos, A attributes, S side."""

    def __init__(self, bundle: Path) -> None:
        self._bundle = open_bundle(bundle)
        self._encoder = Encoder(self._bundle)
        self.decode = decoder(self._bundle)

    def encode(self, pixels: NDArray[np.float32]) -> FloatArray:
        """v (B, A) of pixels (B, 3, S, S)."""
        return self._encoder.encode_pixels(pixels).v

    def rank(self, v: FloatArray) -> dict[str, Any]:
        """Predictions and decision of one photo's v (A,)."""
        ranking = rank_calibrated(self._bundle, v, self._bundle.classes, top_k=5, candidates="all")
        return {
            "predictions": [dataclasses.asdict(prediction) for prediction in ranking.predictions],
            "decision": dataclasses.asdict(ranking.decision),
        }

    def __call__(self, photo: bytes) -> dict[str, Any]:
        """All of it for one photo's bytes. Raises PhotoRefused."""
        return self.rank(self.encode(self.decode(photo)[None])[0])
