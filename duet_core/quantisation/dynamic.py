"""int8 for transformers: weights of matrix products in int8, activations scaled at run time, nothing else touched."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from duet_core.quantisation.graphs import PRODUCTS, constant_shapes


def write_dynamic(source: Path, target: Path) -> None:
    """Write `source` with its matrix products in int8, one scale a column.

    Weights take 7 of 8 bits: CPUs without VNNI add pairs of products in 16 bits, which 8 bits can overflow; so every
    machine computes the same. Products of two activations, or with batches of constants, have no such kernel and stay.
    """
    graph = onnx.load(source).graph
    shapes = constant_shapes(graph)
    products = [node for node in graph.node if node.op_type in PRODUCTS]
    left = [node.name for node in products if len(shapes.get(node.input[1], ())) != 2]
    quantize_dynamic(
        source,
        target,
        op_types_to_quantize=list(PRODUCTS),
        nodes_to_exclude=left,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
    )
