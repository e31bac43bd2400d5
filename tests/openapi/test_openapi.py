"""The OpenAPI document: as checked in, sound in itself, and every request it shows sent to a real service."""

from __future__ import annotations

import json
import re
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
    photo,
    schema_mistakes,
)
from tests.service_process import ServiceProcess

CHECKED_IN = ROOT / "docs/openapi.json"
DOCUMENT: dict[str, Any] = json.loads(CHECKED_IN.read_text(encoding="utf-8"))
OPERATIONS = [
    (method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]
STAGES = ["POST /classes", "POST /classify", "", "DELETE /classes/{class_id}"]
"""The order within a class space: a class is described before others ask for it, and is deleted in the end; "" is for
all that is not named."""
IN_A_SPACE = "/spaces/{space}/"


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


def place(operation: tuple[str, str, Any]) -> tuple[int, int, bool]:
    """When an operation has its turn: the default space, then a new one from its making to its end; deleting last."""
    method, path, _ = operation
    name = f"{method.upper()} {path.replace(IN_A_SPACE, '/')}"
    space = ["POST /spaces", IN_A_SPACE, "GET /spaces/{name}", "PATCH /spaces/{name}", "DELETE /spaces/{name}"]
    own = IN_A_SPACE if path.startswith(IN_A_SPACE) else name
    return 1 + space.index(own) if own in space else 0, STAGES.index(name if name in STAGES else ""), method == "delete"


def test_every_example_is_answered_as_documented(birds: httpx.Client) -> None:
    """Classes and spaces are made before they are asked for, and deleted at the end; each description has its turn."""
    known: dict[str, Any] = {}
    sent: list[str] = []

    def send(example: Example) -> None:
        answer = example.send(birds)
        found = mistakes(DOCUMENT, example.operation, answer)
        assert (example.name, found) == (example.name, [])
        if "url" in (example.body.get("json") or {}):  # which only a service with DUET_FETCH_URLS follows
            assert answer.json()["type"] == "/problems/no-image", answer.text
            return
        assert answer.is_success, f"{example.name}: {answer.text}"
        for name, value in links(example, answer).items():
            known.setdefault(name, value)
        sent.append(example.name)

    later: list[Example] = []
    for method, path, operation in sorted(OPERATIONS, key=place):
        shown = list(examples(method, path, operation, known))
        stage = place((method, path, operation))[1]
        if STAGES[stage] == "POST /classes":
            shown, later = shown[:1], shown[1:]  # all describe the same class
        for example in shown:
            send(example)
        if stage == len(STAGES) - 1:
            (delete,) = shown
            assert later
            for description in later:
                send(description)
                send(delete)
    assert set(sent) == {f"{method.upper()} {path}" for method, path, _ in OPERATIONS}
    assert len(sent) > len(OPERATIONS)  # several examples for some
    assert [space["name"] for space in birds.get("/spaces").json()["spaces"]] == ["default", "draft"]
    for made in ("/classes", "/spaces/draft/classes"):
        left = birds.get(made, params={"seen": "false"}).json()["classes"]
        assert sorted(found["id"] for found in left) == ["flag-bird", "night-bird"]  # by the examples of POST /import


BLACKBIRD: dict[str, Any] = {"id": "blackbird", "label": "Blackbird", "prompt": "a black bird with a yellow bill"}


@pytest.mark.parametrize("prefix", ["", "/spaces/other"])
def test_what_is_answered_only_when_asked_for_is_documented(birds: httpx.Client, prefix: str) -> None:
    """Members and statuses that no example brings up, in the order of a client that uses them."""
    seen = birds.get("/classes", params={"limit": 1}).json()["classes"][0]["id"]
    kind = {"Content-Type": "image/png"}

    def send(method: str, path: str, shape: str | None = None, **sent: Any) -> Any:
        answer = birds.request(method, prefix + path, **sent)
        documented = DOCUMENT["paths"]["/spaces/{space}" * bool(prefix) + (shape or path)][method.lower()]
        assert mistakes(DOCUMENT, documented, answer) == []
        assert answer.is_success, answer.text
        return answer.json()

    one_class = "/classes/{class_id}"
    send("DELETE", "/calibration")  # labelled photos of other tests
    dry = send("POST", "/classes", json=BLACKBIRD, params={"dry_run": True})
    assert (dry["version"], dry["kind"]) == (0, "prompt")
    assert send("PUT", "/classes/blackbird", one_class, json=BLACKBIRD)["version"] == 1
    assert send("PUT", "/classes/blackbird", one_class, json=BLACKBIRD)["version"] == 2
    twin = send("POST", "/classes", json=BLACKBIRD | {"id": "twin"})
    assert [near["class_id"] for near in twin["near_duplicates"]] == ["blackbird"]
    answer = send("POST", "/classify", content=photo("image/png"), headers=kind, params={"coverage": 0.9})
    assert answer["coverage"]["set"]
    asked = {"image_id": answer["image_id"], "class_id": seen, "versus": "twin", "edits": True}
    explained = send("GET", "/explain", params=asked)
    assert (explained["contrast"]["versus"], explained["edits"]["class_id"]) == ("twin", "twin")
    assert send("PATCH", f"/classes/{seen}", one_class, json={"hidden": True})["hidden"]
    assert send("GET", "/classes", params={"hidden": True})["total"] == 1
    assert send("PATCH", f"/classes/{seen}", one_class, json={"hidden": False, "label": None})["seen"]
    rows = birds.get(f"{prefix}/export").content
    pairs = send(
        "POST", "/import", content=rows, headers={"Content-Type": "application/x-ndjson"}, params={"mode": "replace"}
    )
    assert {"twin", "blackbird"} in [{pair["imported_id"], pair["class_id"]} for pair in pairs["near_duplicates"]]
    for made in ("twin", "blackbird"):
        send("DELETE", f"/classes/{made}", one_class)


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("post", "/classes", {"json": {}}),
        ("get", "/classes", {"params": {"limit": 0}}),
        ("get", "/classes/{class_id}", {}),
        ("get", "/spaces/{space}/classes/{class_id}", {}),
        ("put", "/classes/{class_id}", {"json": {"label": "X", "prompt": "red"}, "headers": {"If-Match": '"9-9"'}}),
        ("patch", "/classes/{class_id}", {"json": {}}),
        ("post", "/calibration", {"json": {"photos": []}}),
        ("post", "/import", {"content": b"{}", "headers": {"Content-Type": "application/x-ndjson"}}),
        ("post", "/spaces", {"json": {"name": "A b"}}),
        ("delete", "/spaces/{name}", {}),
        ("post", "/classify", {"content": b"x", "headers": {"Content-Type": "image/png"}}),
        ("post", "/v2/models/{model}/infer", {"json": {}}),
    ],
)
def test_problems_are_answered_as_documented(birds: httpx.Client, method: str, path: str, sent: dict[str, Any]) -> None:
    answer = birds.request(method, re.sub(r"{\w+}", "no-such", path), **sent)
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
