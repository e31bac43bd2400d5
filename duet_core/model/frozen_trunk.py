"""The frozen first stages as a function from pixels to their output, at the best speed the device has."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch
from torch import Tensor, nn

from duet_core.model.vision import VisionEncoder

_CPU_CHUNK = 4
"""Images a call on the CPU: the activations of few images stay in the processor's cache."""


class _Trunk(nn.Module):
    def __init__(self, vision: VisionEncoder) -> None:
        super().__init__()
        self.vision = vision

    def forward(self, pixels: Tensor) -> Tensor:
        return self.vision.trunk(pixels)


def trunk_runner(vision: VisionEncoder, *, size: int, device: torch.device) -> Callable[[Tensor], Tensor]:
    """A function from normalised pixels (B, 3, size, size) to the trunk's output (B, *H) on the same device.

    On the CPU the trunk is compiled for ONNX Runtime, which folds the batch norms into the convolutions; on an
    accelerator it stays in torch.
    """
    vision = vision.to(device).eval()
    if device.type != "cpu":
        return vision.trunk
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trunk.onnx"
        torch.onnx.export(
            _Trunk(vision).eval(),
            (torch.zeros(2, 3, size, size),),
            file,
            input_names=["pixels"],
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def run(pixels: Tensor) -> Tensor:
        parts = [
            torch.from_numpy(session.run(None, {"pixels": chunk.numpy()})[0])
            for chunk in torch.split(pixels, _CPU_CHUNK)
        ]
        return torch.cat(parts)

    return run
