"""float16 for GPUs: everything inside in half precision, inputs and outputs in float32 as before."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16


def write_float16(source: Path, target: Path) -> None:
    """Write `source` with constants and values in float16; its inputs and outputs keep their names and float32."""
    with warnings.catch_warnings():  # constants too small for float16 become its smallest number, as is right
        warnings.filterwarnings("ignore", message=r"the float32 number .* will be truncated")
        onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)
