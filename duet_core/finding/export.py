"""The trained finder as a bundle's finder.onnx."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from duet_core.export.limits import ExportError
from duet_core.export.onnx_files import run_onnx, write_onnx
from duet_core.finding.network import FinderNetwork
from duet_core.model.fixed_norm import make_plain

_SMALL = 256
"""Weights of fewer numbers stay as they are: norms and biases."""
_LARGEST = 127
_TOLERANCE = 0.02
"""Farthest an edge may move by the export, in sides of the photo."""


def write_finder(file: Path, network: FinderNetwork, *, side: int) -> None:
    """Write the network for squares of `side` pixels; its weights take a quarter of the room, it computes in float32.

    Raises ExportError when it gives other boxes than the network; nothing is left behind then.
    """
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    temporary = file.with_suffix(".new")
    try:
        plain = make_plain(copy.deepcopy(network))
        write_onnx(temporary, plain, (pixels,), inputs=["pixels"], outputs=["box"])
        model = onnx.load(temporary)
        shrink_weights(model.graph)
        onnx.save(model, temporary)
        with torch.no_grad():
            expected = network(pixels).numpy()
        (found,) = run_onnx(temporary, pixels=pixels.numpy())
        if (off := float(np.abs(found - expected).max())) > _TOLERANCE:
            raise ExportError(f"{file}: an edge of a box moved by {off:.4f}, at most {_TOLERANCE} is allowed")
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def shrink_weights(graph: onnx.GraphProto) -> None:
    """Keep large weights as int8 with a scale for each output channel; a session makes floats of them when opened.

    Only what is stored shrinks: everything is computed in float32.
    """
    nodes = []
    for weight in list(graph.initializer):
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < _SMALL or values.ndim < 2:
            continue
        name = weight.name
        scale = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True) / _LARGEST  # (O, 1, …)
        scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
        weight.CopyFrom(numpy_helper.from_array(np.rint(values / scale).astype(np.int8), f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        nodes.append(helper.make_node("Cast", [f"{name}_int8"], [f"{name}_float"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"{name}_float", f"{name}_scale"], [name]))
    nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
