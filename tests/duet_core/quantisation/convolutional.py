"""The tiny bundle with its means of the upper and lower half taken by a convolution, so that it counts as a CNN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.tiny_bundle import PREPROCESSING, write_manifest, write_tiny_bundle


def write_convolutional_bundle(folder: Path, training: dict[str, object]) -> Path:
    """The bundle as `write_tiny_bundle` makes it, but for the nodes of vision.onnx; returns the folder."""
    write_tiny_bundle(folder)
    head, bias = (_constant(folder / "vision.onnx", name) for name in ("head", "bias"))
    side, half = PREPROCESSING.size, PREPROCESSING.size // 2
    kernel = np.zeros((3, 3, half, side), dtype=np.float32)
    for channel in range(3):
        kernel[channel, channel] = 0.5 / (half * side)
    nodes = [
        helper.make_node("Conv", ["pixels", "kernel", "half"], ["means"], strides=[half, side]),  # (B, 3, 2, 1)
        helper.make_node("Clip", ["means", "low", "high"], ["kept"]),
        helper.make_node("Transpose", ["kept"], ["by_half"], perm=[0, 2, 1, 3]),
        helper.make_node("Flatten", ["by_half"], ["state"], axis=1),
        helper.make_node("Gemm", ["state", "head", "bias"], ["v"]),
    ]
    constants = {
        "kernel": kernel,
        "half": np.full(3, 0.5, np.float32),
        "low": np.array(0, np.float32),
        "high": np.array(1, np.float32),
        "head": head,
        "bias": bias,
    }
    graph = helper.make_graph(
        nodes,
        "convolutional",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["B", 3, side, side])],
        [
            helper.make_tensor_value_info("v", TensorProto.FLOAT, ["B", head.shape[1]]),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, ["B", head.shape[0]]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "vision.onnx")
    write_manifest(folder, training=training)
    return folder


def _constant(file: Path, name: str) -> np.ndarray:
    found = next(tensor for tensor in onnx.load(file).graph.initializer if tensor.name == name)
    return np.asarray(numpy_helper.to_array(found))
