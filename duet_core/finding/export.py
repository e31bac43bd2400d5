"""The trained finder as a bundle's finder.onnx."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from duet_core.export.limits import ExportError
from duet_core.export.onnx_files import run_onnx, write_onnx
from duet_core.finding.network import FinderNetwork

_SMALL = 256
"""Weights of fewer numbers stay as they are: norms and biases."""
_TOLERANCE = 0.005
"""Farthest an edge may move by the export, in sides of the photo."""


def write_finder(file: Path, network: FinderNetwork, *, side: int) -> None:
    """Write the network for squares of `side` pixels; its weights take half of the room, it computes in float32.

    Raises ExportError when it gives other boxes than the network; nothing is left behind then.
    """
    pixels = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    temporary = file.with_suffix(".new")
    try:
        write_onnx(temporary, network, (pixels,), inputs=["pixels"], outputs=["box"])
        model = onnx.load(temporary)
        halve_weights(model.graph)
        onnx.save(model, temporary)
        with torch.no_grad():
            expected = network(pixels).numpy()
        (found,) = run_onnx(temporary, pixels=pixels.numpy())
        if (off := float(np.abs(found - expected).max())) > _TOLERANCE:
            raise ExportError(f"{file}: an edge of a box moved by {off:.4f}, at most {_TOLERANCE} is allowed")
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def halve_weights(graph: onnx.GraphProto) -> None:
    """Keep large float32 weights as float16 and cast them where they are used; a session does so once, when opened."""
    casts = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or values.size < _SMALL:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [weight.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
