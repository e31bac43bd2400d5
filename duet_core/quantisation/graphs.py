"""What is in an ONNX graph: its constants, and whether a network is made of convolutions or of matrix products."""

from __future__ import annotations

from pathlib import Path

import onnx

CONVOLUTIONS, PRODUCTS = ("Conv",), ("MatMul", "Gemm")


def constant_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """The shape of every constant of a graph, by name."""
    return {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def weights_in(graph: onnx.GraphProto, kinds: tuple[str, ...]) -> int:
    """How many numbers the constant weights of all nodes of these kinds have."""
    shapes, total = constant_shapes(graph), 0
    for node in graph.node:
        if node.op_type in kinds and node.input[1] in shapes:
            size = 1
            for side in shapes[node.input[1]]:
                size *= side
            total += size
    return total


def is_convolutional(file: Path) -> bool:
    """Whether most weights are those of convolutions; a transformer's patch embedding is one of few it has."""
    graph = onnx.load(file).graph
    return weights_in(graph, CONVOLUTIONS) > weights_in(graph, PRODUCTS)


def name_nodes(model: onnx.ModelProto) -> None:
    """Give every node without a name one, since nodes are left out of quantisation by name."""
    for place, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{place}"
