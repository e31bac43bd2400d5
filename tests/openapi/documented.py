"""The requests that the OpenAPI document shows, made from the document alone, and its judgement of the answers."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PHOTO = ROOT / "models/birds/golden.png"
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
Document = Mapping[str, Any]


def photo(kind: str) -> bytes:
    """A photo of this content type; the document can only say that bytes go there."""
    buffer = io.BytesIO()
    with Image.open(PHOTO) as image:
        image.convert("RGB").save(buffer, format=FORMATS[kind])
    return buffer.getvalue()


@dataclass(frozen=True)
class Example:
    """One request that the document shows."""

    method: str
    path: str
    operation: Mapping[str, Any]
    parameters: Mapping[str, Any]
    body: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of httpx's `request`."""

    @property
    def name(self) -> str:
        """Method and path, such as ``POST /classes``."""
        return f"{self.method} {self.path}"

    def send(self, client: httpx.Client) -> httpx.Response:
        """Send it."""
        path, query = self.path, {}
        for parameter in self.operation.get("parameters", []):
            name = parameter["name"]
            if name in self.parameters and parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", self.parameters[name])
            elif name in self.parameters:
                query[name] = self.parameters[name]
        return client.request(self.method, path, params=query, **self.body)


class IncompleteDocument(Exception):
    """The document shows no value for something that is required."""


def examples(method: str, path: str, operation: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Example]:
    """The requests shown for one operation; `known` holds what earlier answers gave, by name of parameter or member.

    Raises IncompleteDocument.
    """
    parameters = {}
    for parameter in operation.get("parameters", []):
        name, shown = parameter["name"], parameter["schema"].get("examples", [])
        if name in known:
            parameters[name] = known[name]
        elif shown:
            parameters[name] = shown[0]
        elif parameter.get("required"):
            raise IncompleteDocument(f"{method.upper()} {path}: no example for the parameter {name!r}")
    for body in _bodies(method, path, operation, known):
        yield Example(method.upper(), path, operation, parameters, body)


def _bodies(
    method: str, path: str, operation: Mapping[str, Any], known: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    if "requestBody" not in operation:
        yield {}
        return
    for kind, content in operation["requestBody"]["content"].items():
        if kind == "multipart/form-data":
            yield {
                "files": {
                    name: ("photo.png", photo("image/png"), "image/png") for name in content["schema"]["required"]
                }
            }
        elif kind in FORMATS:
            yield {"content": photo(kind), "headers": {"Content-Type": kind}}
        elif not content["schema"].get("examples"):
            raise IncompleteDocument(f"{method.upper()} {path}: no example of a body of {kind}")
        elif kind == "application/json":
            yield from ({"json": _filled(shown, known)} for shown in content["schema"]["examples"])
        else:
            headers = {"Content-Type": kind}
            yield from ({"content": shown.encode(), "headers": headers} for shown in content["schema"]["examples"])


def _filled(shown: Any, known: Mapping[str, Any]) -> Any:
    """An example with the members that an earlier answer knows better: a photo's id cannot be made up."""
    if isinstance(shown, list):
        return [_filled(part, known) for part in shown]
    if isinstance(shown, dict):
        return {name: known.get(name, _filled(part, known)) for name, part in shown.items()}
    return shown


def links(example: Example, answer: httpx.Response) -> dict[str, Any]:
    """What the document says that later requests take from this answer, by parameter name."""
    documented = example.operation["responses"].get(str(answer.status_code), {})
    found = {}
    for link in documented.get("links", {}).values():
        for name, expression in link["parameters"].items():
            value = answer.json()
            for part in expression.removeprefix("$response.body#/").split("/"):
                value = value[part]
            found[name] = value
    return found


def mistakes(document: Document, operation: Mapping[str, Any], answer: httpx.Response) -> list[str]:
    """Every way in which an answer is not what the document promises."""
    documented = operation["responses"].get(str(answer.status_code), operation["responses"].get("default"))
    kind = answer.headers["content-type"].partition(";")[0]
    if documented is None or kind not in documented.get("content", {}):
        return [f"{answer.status_code} with {kind} is not documented: {answer.text[:300]}"]
    schema = documented["content"][kind].get("schema")
    if schema is None or schema == {"type": "string", "format": "binary"}:
        return []  # a picture, or Prometheus's own format
    if not kind.endswith("json") or kind == "application/x-ndjson":
        return schema_mistakes(document, schema, answer.text)
    return schema_mistakes(document, closed(schema), json.loads(answer.text))


def schema_mistakes(document: Document, schema: Any, value: Any) -> list[str]:
    """Where a value does not fit a schema of the document."""
    components = {"schemas": {name: closed(s) for name, s in document["components"]["schemas"].items()}}
    validator = Draft202012Validator({"allOf": [schema], "components": components})
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


def closed(schema: Any) -> Any:
    """The schema with members that it does not name forbidden, so that an undocumented member is a mistake.

    Objects that say what else they allow, and those without named members, stay as they are.
    """
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(part) for name, part in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        inner.setdefault("additionalProperties", False)
    return inner
