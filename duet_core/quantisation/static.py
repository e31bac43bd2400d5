"""int8 for convolutional networks: weights and activations in int8 with fixed scales, which calibration photos give."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

from duet_core.quantisation.graphs import CONVOLUTIONS, PRODUCTS, constant_shapes, name_nodes

Pixels = NDArray[np.float32]

_KINDS = (*CONVOLUTIONS, *PRODUCTS, "Add", "Clip", "Relu", "GlobalAveragePool", "MaxPool")
_BATCH = 8


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pixels: Pixels) -> None:
        self._left: Iterator[Pixels] = iter(np.split(pixels, range(_BATCH, len(pixels), _BATCH)))

    def get_next(self) -> dict[str, Pixels] | None:
        batch = next(self._left, None)
        return None if batch is None else {"pixels": batch}


class StaticQuantiser:
    """Calibrates a network once and writes it in int8 as often as wanted, leaving out other nodes each time.

    Letter key: N photos, S side, A attributes.
    """

    def __init__(self, source: Path, pixels: Pixels) -> None:
        """Measure the range of every activation.

        Args:
            source: a vision.onnx in float32.
            pixels: (N, 3, S, S) prepared photos that the network was trained on, some hundred.
        """
        with tempfile.TemporaryDirectory() as scratch:
            folded, measured = Path(scratch) / "folded.onnx", Path(scratch) / "measured.onnx"
            quant_pre_process(source, folded, skip_symbolic_shape=True)
            self._model = onnx.load(folded)
            name_nodes(self._model)
            onnx.save(self._model, folded)
            calibrator = create_calibrator(
                folded, list(_KINDS), augmented_model_path=str(measured), calibrate_method=CalibrationMethod.MinMax
            )
            calibrator.collect_data(_Batches(pixels))
            self._ranges = calibrator.compute_data()

    @property
    def nodes(self) -> list[str]:
        """Names of the nodes with weights that can be int8, in the order of the graph."""
        shapes = constant_shapes(self._model.graph)
        weighted = (*CONVOLUTIONS, *PRODUCTS)
        return [
            node.name
            for node in self._model.graph.node
            if node.op_type in weighted and len(shapes.get(node.input[1], ())) in (2, 4)
        ]

    def quantised(self, only: Iterable[str] | None = None, skipped: Iterable[str] = ()) -> onnx.ModelProto:
        """The network with its nodes in int8, one scale a channel of weights; `only` some nodes, or all but `skipped`.

        Weights take 7 of 8 bits, as in `write_dynamic`.
        """
        kinds = _KINDS if only is None else (*CONVOLUTIONS, *PRODUCTS)
        quantizer = QDQQuantizer(
            copy.deepcopy(self._model),
            True,  # per channel
            True,  # reduced range
            QuantType.QInt8,
            QuantType.QUInt8,
            self._ranges,
            [] if only is None else list(only),
            [*skipped],
            list(kinds),
            {},
        )
        quantizer.quantize_model()
        made: onnx.ModelProto = quantizer.model.model
        return made

    def errors_alone(self, pixels: Pixels) -> dict[str, float]:
        """Error of v when one node alone is int8, relative to v's norm, for every node; of photos (N, 3, S, S)."""
        expected = _v(self._model, pixels)
        scale = float(np.linalg.norm(expected))
        return {
            name: float(np.linalg.norm(_v(self.quantised(only=[name]), pixels) - expected)) / scale
            for name in self.nodes
        }


def worst_first(errors: dict[str, float]) -> list[str]:
    """Names of nodes, those that hurt most first."""
    return sorted(errors, key=lambda name: errors[name], reverse=True)


def _v(model: onnx.ModelProto, pixels: Pixels) -> NDArray[np.float32]:
    """(N, A) predicted attributes of photos by a network in memory."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    batches: Sequence[Pixels] = np.split(pixels, range(_BATCH, len(pixels), _BATCH))
    return np.concatenate([session.run(["v"], {"pixels": batch})[0] for batch in batches])
