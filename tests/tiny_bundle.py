"""A complete bundle of a few kilobytes, made in code without torch, whose answers can be worked out by hand.

The vision model reads the mean colour of the upper half of a photo as the crown and of the lower half as the wing, so a
plain red picture is a bird with red wings and a red crown. Seen classes: red-bird, green-bird, blue-winged-bird (its
crown is red) and red-crowned-bird (its wings are green). A plain blue picture therefore belongs to none of them: it is
refused until a class with blue wings and a blue crown is registered (`ALL_BLUE`), which then wins.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from duet_core.attributes import AttributeSchema
from duet_core.classes import unit_rows
from duet_core.runtime.preprocess import Preprocessing, pixels_sha256

COLOURS = ("red", "blue", "green")
SCHEMA = AttributeSchema.from_pairs(
    [("wing color", name) for name in COLOURS]
    + [("crown color", name) for name in COLOURS]
    + [("size", name) for name in ("small", "medium", "large")]
    + [("wing pattern", name) for name in ("solid", "spotted", "striped")]
)
"""A = 12 attributes in 4 prompt sets."""
OTHER_SCHEMA = AttributeSchema.from_pairs(
    [("tail shape", name) for name in ("forked", "round", "pointed")]
    + [("size", name) for name in ("small", "medium", "large")]
    + [("crown color", name) for name in COLOURS]
    + [("wing color", name) for name in COLOURS]
)
"""Attributes of another model: in another order, without wing patterns, with shapes of the tail."""

SEEN: dict[str, dict[str, float]] = {
    "red-bird": {"wing color: red": 1, "crown color: red": 1, "size: small": 0.4, "wing pattern: solid": 0.4},
    "green-bird": {"wing color: green": 1, "crown color: green": 1, "size: large": 0.4, "wing pattern: solid": 0.4},
    "blue-winged-bird": {"wing color: blue": 1, "crown color: red": 1, "size: small": 0.4, "wing pattern: solid": 0.4},
    "red-crowned-bird": {
        "wing color: green": 1,
        "crown color: red": 1,
        "size: small": 0.4,
        "wing pattern: spotted": 0.4,
    },
}
ALL_BLUE: dict[str, float] = {
    "wing color: blue": 1,
    "crown color: blue": 1,
    "size: small": 0.4,
    "wing pattern: solid": 0.4,
}
"""Degrees of an unseen class that wins on a plain blue picture as soon as it is registered."""

PREPROCESSING = Preprocessing(size=32, resize=36, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
CALIBRATION: dict[str, Any] = {
    "score_space": "logits",
    "gamma": 0.1,
    "temperature": 0.1,
    "threshold": 0.6,
    "evidence": "max_cosine",
    "false_reject_rate": 0.05,
    "ece_before": 0.2,
    "ece_after": 0.1,
    "split": "validation",
    "n_photos": 8,
}
_SYNONYMS = {"crimson": "red", "sanguine": "red", "azure": "blue", "emerald": "green", "tiny": "small"}
_FILLERS = ("a", "an", "the", "with", "and", "bird", "is", "of", "has")
_PHRASES = [attribute.phrase for schema in (SCHEMA, OTHER_SCHEMA) for attribute in schema.attributes]
_WORDS = sorted({word for phrase in _PHRASES for word in phrase.split()} | set(_SYNONYMS))
_VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_FILLERS, *_WORDS)


def degrees(given: dict[str, float], schema: AttributeSchema = SCHEMA) -> NDArray[np.float32]:
    """(A,) degrees of a class from a mapping of keys; what is not given is 0, what the schema lacks is left out."""
    values = np.zeros(len(schema), dtype=np.float32)
    for key, value in given.items():
        row = schema.find(key)
        assert row is not None or SCHEMA.find(key) is not None, key
        if row is not None:
            values[row] = value
    return values


def picture(crown: str, wing: str | None = None, side: int = 48) -> Image.Image:
    """A square picture, upper half the colour of the crown, lower half the colour of the wing (default: the same)."""
    image = Image.new("RGB", (side, side), crown)
    image.paste(wing or crown, (0, side // 2, side, side))
    return image


def picture_bytes(crown: str, wing: str | None = None, side: int = 48, kind: str = "PNG") -> bytes:
    """`picture` as an encoded file."""
    buffer = io.BytesIO()
    picture(crown, wing, side).save(buffer, format=kind)
    return buffer.getvalue()


def write_tiny_bundle(
    folder: Path,
    *,
    model_id: str = "tiny",
    bias: float = 0.2,
    gamma: float = 0.1,
    schema: AttributeSchema = SCHEMA,
    seen: dict[str, dict[str, float]] = SEEN,
) -> Path:
    """Write the bundle into `folder` (made when missing) and return it.

    Args:
        bias: what v is of all that is no colour: with another one every photo has other scores.
        schema: SCHEMA, or another one of four prompt sets with three attributes each.
        seen: degrees of the seen classes by id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    v_of_black = np.array([bias * ("color" not in key) for key in schema.keys], dtype=np.float32)  # (A,)
    onnx.save(_vision(schema, v_of_black), folder / "vision.onnx")
    onnx.save(_grounding(schema), folder / "grounding.onnx")
    onnx.save(_text(), folder / "text.onnx")
    _tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "calibration.json").write_text(json.dumps(CALIBRATION | {"gamma": gamma}, indent=1))
    table = np.stack([degrees(given, schema) for given in seen.values()])
    np.savez(
        folder / "classes.npz",
        ids=np.array(list(seen)),
        labels=np.array([name.replace("-", " ").title() for name in seen]),
        degrees=table,
        z=unit_rows(table),
        attribute_embeddings=_attribute_embeddings(schema).astype(np.float16),
    )
    _write_golden(folder, schema, v_of_black)
    write_manifest(folder, model_id=model_id, schema=schema.to_json())
    return folder


def write_manifest(folder: Path, **changes: Any) -> None:
    """Write manifest.json with the sizes and checksums of the files as they are now; `changes` replace entries."""
    files = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
        for path in sorted(folder.iterdir())
        if path.name != "manifest.json"
    }
    manifest: dict[str, Any] = {
        "format_version": 1,
        "model_id": "tiny",
        "schema": SCHEMA.to_json(),
        "preprocessing": PREPROCESSING.to_json(),
        "files": files,
        "training": {"command": "none: made in code"},
        "metrics": {},
        "licence": {"data": "no data"},
        "parity": {"max_abs_dv": 0.0},
        "language_model": {"name": "tiny"},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | changes, indent=1))


def _write_golden(folder: Path, schema: AttributeSchema, v_of_black: NDArray[np.float32]) -> None:
    """A colourful picture with its expected v and state, computed here in numpy, not by ONNX Runtime."""
    ramp = np.linspace(0, 255, 48).astype(np.uint8)
    red, green = np.meshgrid(ramp, ramp)
    image = Image.fromarray(np.stack([red, green, 255 - red], axis=2))  # (48, 48, 3)
    image.save(folder / "golden.png")
    pixels = PREPROCESSING(image)
    half = PREPROCESSING.size // 2
    means = np.concatenate([pixels[:, :half].mean(axis=(1, 2)), pixels[:, half:].mean(axis=(1, 2))])  # (6,)
    state = ((means + 1) / 2).astype(np.float32)
    v = state @ _head(schema) + v_of_black
    np.savez(folder / "golden.npz", pixels_sha256=np.array(pixels_sha256(pixels)), v=v, state=state)


def _head(schema: AttributeSchema) -> NDArray[np.float32]:
    """(D=6, A) from the state (crown red, green, blue, wing red, green, blue) to the attributes."""
    weights = np.zeros((6, len(schema)), dtype=np.float32)
    for channel, colour in enumerate(("red", "green", "blue")):
        weights[channel, schema.keys.index(f"crown color: {colour}")] = 1
        weights[channel + 3, schema.keys.index(f"wing color: {colour}")] = 1
    return weights


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], **constants: NDArray[Any]) -> Any:
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _vision(schema: AttributeSchema, v_of_black: NDArray[np.float32]) -> Any:
    side, half = PREPROCESSING.size, PREPROCESSING.size // 2
    nodes = [
        helper.make_node("Slice", ["pixels", "top", "middle", "rows"], ["upper"]),
        helper.make_node("Slice", ["pixels", "middle", "bottom", "rows"], ["lower"]),
        helper.make_node("ReduceMean", ["upper"], ["crown"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["lower"], ["wing"], axes=[2, 3], keepdims=0),
        helper.make_node("Concat", ["crown", "wing"], ["means"], axis=1),
        helper.make_node("Mul", ["means", "half"], ["halved"]),
        helper.make_node("Add", ["halved", "half"], ["state"]),
        helper.make_node("Gemm", ["state", "head", "bias"], ["v"]),
    ]
    return _model(
        nodes,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["B", 3, side, side])],
        [
            helper.make_tensor_value_info("v", TensorProto.FLOAT, ["B", len(schema)]),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, ["B", 6]),
        ],
        top=np.array([0]),
        middle=np.array([half]),
        bottom=np.array([side]),
        rows=np.array([2]),
        half=np.array(0.5, dtype=np.float32),
        head=_head(schema),
        bias=v_of_black,
    )


def _grounding(schema: AttributeSchema) -> Any:
    nodes = [
        helper.make_node("MatMul", ["state", "weights"], ["logits"]),
        helper.make_node("Reshape", ["logits", "by_set"], ["sets"]),
        helper.make_node("Softmax", ["sets"], ["shares"], axis=2),
        helper.make_node("Reshape", ["shares", "flat"], ["each"]),
        helper.make_node("Mul", ["each", "weight"], ["attribute_scores"]),
    ]
    return _model(
        nodes,
        [helper.make_tensor_value_info("state", TensorProto.FLOAT, ["B", 6])],
        [helper.make_tensor_value_info("attribute_scores", TensorProto.FLOAT, ["B", len(schema)])],
        weights=_head(schema) * 4,
        by_set=np.array([-1, 4, 3]),  # every prompt set of the tiny schema has three attributes
        flat=np.array([-1, len(schema)]),
        weight=np.ones(len(schema), dtype=np.float32),
    )


def _word_embeddings() -> NDArray[np.float32]:
    """(vocabulary, E) one axis a word; a synonym lies close to its word; markers and fillers are nearly nothing."""
    axis = {word: i for i, word in enumerate((*_WORDS, *_FILLERS))}
    table = np.zeros((len(_VOCABULARY), len(axis)), dtype=np.float32)
    for row, word in enumerate(_VOCABULARY):
        if word in _SYNONYMS:
            table[row, axis[_SYNONYMS[word]]], table[row, axis[word]] = 1.0, 0.3
        elif word in _WORDS:
            table[row, axis[word]] = 1.0
        elif word in _FILLERS:
            table[row, axis[word]] = 0.05
    return table


def _attribute_embeddings(schema: AttributeSchema) -> NDArray[np.float32]:
    """(A, E) unit rows: the sum of the word embeddings of each phrase."""
    words, table = list(_VOCABULARY), _word_embeddings()
    sums = [sum(table[words.index(word)] for word in attribute.phrase.split()) for attribute in schema.attributes]
    return unit_rows(np.stack([np.asarray(total, dtype=np.float32) for total in sums]))


def _text() -> Any:
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),  # (N, T, E)
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["words", "mask3"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "second"], ["total"], keepdims=0),  # (N, E)
        helper.make_node("ReduceL2", ["total"], ["norm"], axes=[1], keepdims=1),
        helper.make_node("Max", ["norm", "least"], ["safe"]),
        helper.make_node("Div", ["total", "safe"], ["embedding"]),
    ]
    table = _word_embeddings()
    return _model(
        nodes,
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["N", "T"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", table.shape[1]])],
        table=table,
        last=np.array([-1]),
        second=np.array([1]),
        least=np.array(1e-6, dtype=np.float32),
    )


def _tokenizer() -> Tokenizer:
    vocabulary = {word: row for row, word in enumerate(_VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    return tokenizer
