"""A finder for the tiny bundle, made in code without torch: the box of all that is not black."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from duet_core.runtime.bundle import renew_files
from duet_core.runtime.finder import FINDER, Box, open_finder
from tests.tiny_bundle import PREPROCESSING

SIDE = 64
DARK = -0.8
"""Pixels of a lower value are black; black itself is -1 after preprocessing."""


def _edges(name: str, along: int) -> list[Any]:
    """First and last index along one axis (1: top and bottom, 2: left and right) that holds a bright pixel."""
    return [
        helper.make_node("ReduceMax", ["bright"], [f"{name}_line"], axes=[3 - along], keepdims=0),  # (1, S)
        helper.make_node("ArgMax", [f"{name}_line"], [f"{name}_low"], axis=1, keepdims=1),
        helper.make_node("ArgMax", [f"{name}_line"], [f"{name}_end"], axis=1, keepdims=1, select_last_index=1),
        helper.make_node("Add", [f"{name}_end", "one"], [f"{name}_high"]),
    ]


def finder_model(side: int = SIDE, *, shift: float = 0.0) -> Any:
    """The ONNX model; `shift` is added to every edge."""
    nodes = [
        helper.make_node("ReduceMax", ["pixels"], ["lightest"], axes=[1], keepdims=0),  # (1, S, S)
        helper.make_node("Greater", ["lightest", "dark"], ["is_bright"]),
        helper.make_node("Cast", ["is_bright"], ["bright"], to=TensorProto.FLOAT),
        *_edges("x", 2),
        *_edges("y", 1),
        helper.make_node("Concat", ["x_low", "y_low", "x_high", "y_high"], ["indices"], axis=1),
        helper.make_node("Cast", ["indices"], ["edges"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["edges", "side"], ["shares"]),
        helper.make_node("Add", ["shares", "shift"], ["box"]),
    ]
    constants = {
        "dark": np.array(DARK, dtype=np.float32),
        "one": np.array(1),
        "side": np.array(side, dtype=np.float32),
        "shift": np.array(shift, dtype=np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "finder",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["B", 3, side, side])],
        [helper.make_tensor_value_info("box", TensorProto.FLOAT, ["B", 4])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def add_finder(bundle: Path) -> Path:
    """Write the finder into a tiny bundle, as `duet finder` does; returns the bundle."""
    onnx.save(finder_model(), bundle / FINDER)
    golden = open_finder(bundle / FINDER, PREPROCESSING).find(Image.open(bundle / "golden.png"))
    renew_files(bundle, [FINDER], finder={"fitted_on": "nothing: made in code", "golden": asdict(golden)})
    assert json.loads((bundle / "manifest.json").read_text())["finder"]
    return bundle


def scene(bird: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
    """The bird stretched into a box of a black scene."""
    edges = box.pixels(size)
    image = Image.new("RGB", size)
    image.paste(bird.resize((edges[2] - edges[0], edges[3] - edges[1]), Image.Resampling.NEAREST), edges[:2])
    return image
