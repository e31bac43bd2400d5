"""Writing modules as ONNX files, and the language model as int8."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from torch import Tensor, nn

_BLOCK = 128
"""How many weights of a column share one scale."""


def write_onnx(
    file: Path, module: nn.Module, example: tuple[Tensor, ...], *, inputs: Sequence[str], outputs: Sequence[str]
) -> None:
    """Write `module` with a free first dimension of every input (and a free second one for token ids)."""
    batch = torch.export.Dim("batch")
    dynamic = tuple(
        {0: batch} if value.is_floating_point() else {0: batch, 1: torch.export.Dim("tokens", max=512)}
        for value in example
    )
    with warnings.catch_warnings():  # two inputs share their axes' names here, on purpose
        warnings.filterwarnings("ignore", message=r"# The axis name: (batch|tokens) will not be used")
        program = torch.onnx.export(
            module.eval(), example, input_names=list(inputs), dynamic_shapes=dynamic, dynamo=True, verbose=False
        )
    assert program is not None
    program.save(file, external_data=False)
    model = onnx.load(file)
    _name_outputs(model.graph, outputs)
    _strip_documentation(model)
    onnx.save(model, file)


def _name_outputs(graph: onnx.GraphProto, outputs: Sequence[str]) -> None:
    """Give the graph's outputs their names; an inner value that has one of them already makes room."""
    renamed = {name: f"{name}_inside" for name in outputs}
    renamed |= {value.name: name for value, name in zip(graph.output, outputs, strict=True)}
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for named in (*graph.output, *graph.value_info, *graph.initializer):
        named.name = renamed.get(named.name, named.name)


def _strip_documentation(model: onnx.ModelProto) -> None:
    """Remove the exporter's stack traces and file names: they name folders of the exporting machine."""
    for node in (*model.graph.node, *(node for function in model.functions for node in function.node)):
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]


def quantize_language_model(source: Path, target: Path) -> None:
    """Write `source` with its word embeddings and the weights of its products in int8; it computes in float32.

    Products of int8 with int8 would differ from CPU to CPU: those without VNNI add pairs of products in 16 bits, which
    overflow. So the weights alone are int8, with one scale for each `_BLOCK` of a column, and take part as float32.
    """
    quantize_dynamic(source, target, op_types_to_quantize=["Gather"], weight_type=QuantType.QInt8, per_channel=True)
    products = _quiet_quantizer()(onnx.load(target), bits=8, block_size=_BLOCK, is_symmetric=True, accuracy_level=1)
    products.process()
    onnx.save(products.model.model, target)


def _quiet_quantizer() -> type[Any]:
    """ONNX Runtime's quantizer of weights alone; the log of everything, which its import turns on, is turned off."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger(MatMulNBitsQuantizer.__module__).setLevel(logging.WARNING)
    return cast("type[Any]", MatMulNBitsQuantizer)


def run_onnx(file: Path, **inputs: NDArray[np.generic]) -> list[NDArray[np.float32]]:
    """The outputs of an ONNX file on the CPU."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return [np.asarray(output) for output in session.run(None, inputs)]


def embed_phrases(file: Path, tokenizer: Tokenizer, phrases: Sequence[str]) -> NDArray[np.float32]:
    """Sentence embeddings (N, E) of phrases by a text.onnx."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    ids = [np.array([tokenizer.encode(phrase).ids]) for phrase in phrases]
    rows = [session.run(None, {"input_ids": row, "attention_mask": np.ones_like(row)})[0] for row in ids]
    return np.concatenate(rows)
