"""The model behind LitServe: ``python -m benchmarks.serving.lit_server PORT BUNDLE BATCH``.

Annotations are kept as classes here: LitServe reads that of `request`.
"""

import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np
from fastapi import UploadFile
from numpy.typing import NDArray

from benchmarks.serving.predict import Predictor
from duet_core.classes import FloatArray

WAIT = 0.005
"""Seconds that LitServe waits for a batch to fill; only used with BATCH above 1."""


class PhotoAPI(litserve.LitAPI):  # type: ignore[misc]  # LitServe has no types
    """Photos to ranked classes, in LitServe's own worker process. Letter key: B photos, A attributes, S side."""

    def setup(self, device: str) -> None:  # noqa: ARG002  LitServe's signature
        """Open the model in the worker."""
        self.predictor = Predictor(Path(sys.argv[2]))

    def decode_request(self, request: UploadFile) -> NDArray[np.float32]:
        """Pixels (3, S, S) of a photo."""
        return self.predictor.decode(request.file.read())

    def batch(self, inputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Pixels (B, 3, S, S)."""
        return np.stack(inputs)

    def predict(self, pixels: NDArray[np.float32]) -> FloatArray:
        """v (A,) of one photo, or (B, A) of several."""
        return self.predictor.encode(pixels) if pixels.ndim == 4 else self.predictor.encode(pixels[None])[0]

    def unbatch(self, output: FloatArray) -> list[FloatArray]:
        """v (A,) of each photo."""
        return list(output)

    def encode_response(self, output: FloatArray) -> dict[str, Any]:
        """Ranked classes."""
        return self.predictor.rank(output)


if __name__ == "__main__":
    batch = int(sys.argv[3])
    api = PhotoAPI(max_batch_size=batch, batch_timeout=WAIT if batch > 1 else 0.0)
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, num_api_servers=1)
