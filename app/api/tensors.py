"""Tensors as the Open Inference Protocol v2 sends them: JSON, or JSON with the bytes behind it (binary extension)."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.api.bodies import json_object
from app.problems import Problem, from_errors

JSON_LENGTH = "Inference-Header-Content-Length"
"""Header: bytes of JSON at the start of the body; raw tensors follow, in the order of the JSON."""

Datatype = Literal["BYTES", "FP32", "BOOL", "INT64"]
_NUMPY: dict[str, str] = {"FP32": "<f4", "BOOL": "?", "INT64": "<i8"}


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class InputTensor(_Wire):
    """An input as it came."""

    name: str
    shape: list[int] = Field(description="[N] for N photos.")
    datatype: str
    parameters: dict[str, Any] = Field(default_factory=dict, description="`binary_data_size` in a binary request.")
    data: list[Any] | None = Field(default=None, description="Photos in base64; left out in a binary request.")


class AskedOutput(_Wire):
    """An output that is wanted."""

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict, description="`binary_data`: whether as raw bytes.")


class InferRequest(_Wire):
    """The JSON of an inference request."""

    id: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict, description="`top_k`, `candidates`, `space`.")
    inputs: list[InputTensor]
    outputs: list[AskedOutput] | None = Field(default=None, description="Those wanted; all when left out.")


@dataclass(frozen=True)
class Tensor:
    """An output: an array, or for BYTES a list of texts in row-major order."""

    datatype: Datatype
    shape: tuple[int, ...]
    values: NDArray[Any] | Sequence[str]

    def flat(self) -> list[Any]:
        """The elements as JSON has them."""
        return self.values.ravel().tolist() if isinstance(self.values, np.ndarray) else list(self.values)

    def raw(self) -> bytes:
        """The elements as bytes, little-endian; each of BYTES with its length in front."""
        if isinstance(self.values, np.ndarray):
            return self.values.astype(_NUMPY[self.datatype]).tobytes()
        return b"".join(struct.pack("<I", len(text)) + text for text in (value.encode() for value in self.values))


def read_request(body: bytes, json_length: str | None) -> tuple[InferRequest, bytes]:
    """The JSON of a request and the raw bytes behind it. Raises Problem invalid-json, invalid-request."""
    end = len(body)
    if json_length is not None:
        if not (json_length.isascii() and json_length.isdigit() and int(json_length) <= len(body)):
            members = {"got": json_length[:40], "allowed": f"0…{len(body)}, the length of the body"}
            raise Problem("invalid-request", f"{JSON_LENGTH} is no length within the body.", members)
        end = int(json_length)
    try:
        request = InferRequest.model_validate(json_object(body[:end]))
    except ValidationError as error:
        raise from_errors("invalid-request", error.errors(include_url=False)) from None
    return request, body[end:]


def bytes_elements(tensor: InputTensor, raw: bytes) -> list[bytes | str]:
    """The elements of a BYTES input: bytes where they came raw, the texts where they came as JSON.

    Raises Problem invalid-request.
    """
    if tensor.datatype != "BYTES":
        raise _wrong(tensor, f"datatype {tensor.datatype!r}", "'BYTES'")
    if not tensor.shape or any(side < 0 for side in tensor.shape):
        raise _wrong(tensor, f"shape {tensor.shape}", "such as [1]")
    if foreign := sorted(tensor.parameters.keys() - {"binary_data_size"}):
        raise _wrong(tensor, f"the parameters {[name[:40] for name in foreign]}", "binary_data_size")
    size = tensor.parameters.get("binary_data_size")
    elements: list[bytes | str] = list(_texts(tensor)) if size is None else list(_raw_elements(tensor, raw, size))
    if len(elements) != prod(tensor.shape):
        raise _wrong(tensor, f"{len(elements)} elements", f"{prod(tensor.shape)}, as shape {tensor.shape} says")
    return elements


def answer_body(
    head: Mapping[str, Any], outputs: Mapping[str, Tensor], binary: Mapping[str, bool]
) -> tuple[bytes, int | None]:
    """The body of an answer, and how much of it is JSON; None when all of it is."""
    described, tail = [], []
    for name, tensor in outputs.items():
        entry: dict[str, Any] = {"name": name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        if binary[name]:
            tail.append(tensor.raw())
            entry["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            entry["data"] = tensor.flat()
        described.append(entry)
    text = json.dumps({**head, "outputs": described}, ensure_ascii=False, allow_nan=False).encode()
    return text + b"".join(tail), len(text) if tail else None


def _texts(tensor: InputTensor) -> Iterator[str]:
    def flat(values: list[Any]) -> Iterator[str]:
        for value in values:
            if isinstance(value, list):
                yield from flat(value)
            elif isinstance(value, str):
                yield value
            else:
                raise _wrong(tensor, f"{type(value).__name__} in data", "texts: each photo in base64")

    if tensor.data is None:
        raise _wrong(tensor, "neither data nor binary_data_size", "one of them")
    yield from flat(tensor.data)


def _raw_elements(tensor: InputTensor, raw: bytes, size: Any) -> Iterator[bytes]:
    if type(size) is not int or size != len(raw):
        raise _wrong(tensor, f"binary_data_size {size!r}", f"{len(raw)}, the bytes that follow the JSON")
    at = 0
    while at < size:
        (length,) = struct.unpack_from("<I", raw, at) if at + 4 <= size else (size,)
        if at + 4 + length > size:
            raise _wrong(tensor, f"an element that ends behind byte {size}", "4 bytes of length, then as many bytes")
        yield raw[at + 4 : at + 4 + length]
        at += 4 + length


def _wrong(tensor: InputTensor, got: str, allowed: str) -> Problem:
    name = tensor.name[:40]
    detail = f"Input {name!r}: got {got}; allowed is {allowed}."
    return Problem("invalid-request", detail, {"got": got, "allowed": allowed})
