"""The OpenAPI document: as checked in, sound in itself, and every request it shows sent to a real service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from app.openapi import text
from tests.openapi.documented import (
    ROOT,
    Example,
    IncompleteDocument,
    closed,
    examples,
    links,
    mistakes,
    schema_mistakes,
)
from tests.service_process import ServiceProcess

CHECKED_IN = ROOT / "docs/openapi.json"
DOCUMENT: dict[str, Any] = json.loads(CHECKED_IN.read_text(encoding="utf-8"))
OPERATIONS = [
    (method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]
CREATE, DELETE = "POST /classes", "DELETE /classes/{class_id}"
"""What makes the class that other examples speak of, and what ends it."""


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service on the demo bundle, whose attributes the examples use, without any registered class."""
    folder = tmp_path_factory.mktemp("birds")
    store = f"sqlite:///{folder}/classes.sqlite"
    service = ServiceProcess(folder, bundle=ROOT / "models/birds", store=store).start()
    yield service.client
    service.close()


def test_the_document_checked_in_is_that_of_the_code() -> None:
    assert CHECKED_IN.read_text(encoding="utf-8") == text(), "docs/openapi.json is behind: run `make openapi`"


def test_the_document_is_served(birds: httpx.Client) -> None:
    assert birds.get("/openapi.json").json() == DOCUMENT


def test_every_schema_is_one_and_fits_its_own_examples() -> None:
    checked = 0

    def walk(node: Any, where: str) -> Iterator[str]:
        nonlocal checked
        if isinstance(node, dict):
            schema = node.get("schema")
            if isinstance(schema, dict):
                Draft202012Validator.check_schema(schema)
            for shown in node["examples"] if isinstance(node.get("examples"), list) else []:
                checked += 1
                yield from (f"{where}: {mistake}" for mistake in schema_mistakes(DOCUMENT, closed(node), shown))
            if isinstance(schema, dict) and "example" in node:
                checked += 1
                yield from (f"{where}: {m}" for m in schema_mistakes(DOCUMENT, closed(schema), node["example"]))
            for name, part in node.items():
                yield from walk(part, f"{where}/{name}")
        elif isinstance(node, list):
            for position, part in enumerate(node):
                yield from walk(part, f"{where}/{position}")

    assert list(walk(DOCUMENT, "")) == []
    assert checked > 40


def test_every_example_is_answered_as_documented(birds: httpx.Client) -> None:
    """Classes are described before they are asked for, and deleted at the end; each description has its turn."""
    known: dict[str, Any] = {}
    sent: list[str] = []

    def send(example: Example) -> None:
        answer = example.send(birds)
        found = mistakes(DOCUMENT, example.operation, answer)
        assert (example.name, found) == (example.name, [])
        assert answer.is_success, f"{example.name}: {answer.text}"
        known.update(links(example, answer))
        sent.append(example.name)

    def shown(name: str) -> list[Example]:
        (given,) = [operation for operation in OPERATIONS if f"{operation[0].upper()} {operation[1]}" == name]
        return list(examples(*given, known))

    first, *other_descriptions = shown(CREATE)
    send(first)
    classify_first = sorted(OPERATIONS, key=lambda operation: operation[1] != "/classify")
    for method, path, operation in classify_first:
        if f"{method.upper()} {path}" not in (CREATE, DELETE):
            for example in examples(method, path, operation, known):
                send(example)
    for description in [None, *other_descriptions]:
        if description is not None:
            send(description)
        for example in shown(DELETE):
            send(example)
    assert set(sent) == {f"{method.upper()} {path}" for method, path, _ in OPERATIONS}
    assert len(sent) > len(OPERATIONS)  # several examples for some


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("post", "/classes", {"json": {}}),
        ("get", "/classes", {"params": {"limit": 0}}),
        ("get", "/classes/{class_id}", {}),
        ("post", "/classify", {"content": b"x", "headers": {"Content-Type": "image/png"}}),
        ("post", "/v2/models/{model}/infer", {"json": {}}),
    ],
)
def test_problems_are_answered_as_documented(birds: httpx.Client, method: str, path: str, sent: dict[str, Any]) -> None:
    answer = birds.request(method, path.replace("{class_id}", "no-such").replace("{model}", "none"), **sent)
    assert answer.is_client_error
    assert mistakes(DOCUMENT, DOCUMENT["paths"][path][method], answer) == []


def test_keys_and_scopes_are_documented() -> None:
    def roles(method: str, path: str) -> Any:
        return DOCUMENT["paths"][path][method]["security"]

    assert roles("get", "/livez") == []
    assert roles("get", "/classes") == [{}, {"Bearer": []}, {"Header": []}]
    assert roles("delete", "/classes/{class_id}") == [{}, {"Bearer": ["manage"]}, {"Header": ["manage"]}]
    assert all("security" in operation for _, _, operation in OPERATIONS)


OPERATION: dict[str, Any] = {
    "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
    "responses": {
        "200": {
            "content": {
                "application/json": {
                    "schema": {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
                }
            }
        }
    },
}


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, {"a": 1}, []),
        (200, {}, ["$: 'a' is a required property"]),
        (200, {"a": "1"}, ["$.a: '1' is not of type 'integer'"]),
        (200, {"a": 1, "b": 2}, ["$: Additional properties are not allowed ('b' was unexpected)"]),
        (201, {"a": 1}, ['201 with application/json is not documented: {"a":1}']),
    ],
)
def test_the_judge_sees_what_is_wrong(status: int, body: Any, told: list[str]) -> None:
    document: dict[str, Any] = {"components": {"schemas": {}}}
    assert mistakes(document, OPERATION, httpx.Response(status, json=body)) == told


def test_an_operation_without_an_example_is_told() -> None:
    with pytest.raises(IncompleteDocument, match=r"GET /x/\{id\}: no example for the parameter 'id'"):
        list(examples("get", "/x/{id}", OPERATION, {}))
    (made,) = examples("get", "/x/{id}", OPERATION, {"id": "7"})
    assert made.parameters == {"id": "7"}
    body: dict[str, Any] = {"requestBody": {"content": {"application/json": {"schema": {}}}}}
    with pytest.raises(IncompleteDocument, match="POST /x: no example of a body"):
        list(examples("post", "/x", body, {}))
