"""/classes over HTTP: three ways to describe a class, and everything that is refused with nothing stored."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.tiny_bundle import ALL_BLUE, SCHEMA, SEEN, degrees

VECTOR = [float(value) for value in degrees(ALL_BLUE)]
JSON = {"Content-Type": "application/json"}


def new(**changes: Any) -> dict[str, Any]:
    return {"id": "blue-bird", "label": "Blue Bird", "attributes": ALL_BLUE} | changes


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in names}


def test_a_mapping(client: httpx.Client, space: str) -> None:
    body = new(attributes={"Wing  Color:blue": 0.9, "size: small": 0.5})
    answer = client.post("/classes", params={"space": space}, json=body)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/classes/blue-bird?space={space}"
    stored = answer.json()
    assert without(stored, "interpretation") == {
        "id": "blue-bird",
        "label": "Blue Bird",
        "seen": False,
        "kind": "mapping",
        "version": 1,
        "revision": 1,
        "near_duplicates": [],
        "left_out": None,
    }
    assert (answer.headers["etag"], answer.headers["x-registry-revision"]) == ('"1-1"', "1")
    found = stored["interpretation"]["attributes"]
    assert [attribute["key"] for attribute in found] == ["wing color: blue", "size: small"]
    assert found[0]["degree"] == pytest.approx(0.9)
    assert stored["interpretation"]["prompt_sets_assumed"] == ["crown color", "wing pattern"]
    detail = client.get(answer.headers["location"]).json()
    shown = {attribute["key"]: attribute["degree"] for attribute in detail["attributes"]}
    assert list(shown) == list(SCHEMA.keys)
    assert (shown["wing color: blue"], shown["wing color: red"]) == (pytest.approx(0.9), 0)


@pytest.mark.parametrize("scale", [1, 100])
def test_a_vector_on_any_scale(client: httpx.Client, space: str, scale: float) -> None:
    body = new(attributes=[value * scale for value in VECTOR])
    stored = client.post("/classes", params={"space": space}, json=body).raise_for_status().json()
    assert stored["kind"] == "vector"
    found = {a["key"]: a["degree"] for a in stored["interpretation"]["attributes"]}
    assert found == pytest.approx(ALL_BLUE)


def test_a_prompt(client: httpx.Client, space: str) -> None:
    body = without(new(prompt="a small bird with a blue crown and blue wings, quietly singing"), "attributes")
    stored = client.post("/classes", params={"space": space}, json=body).raise_for_status().json()
    found = {a["key"]: a for a in stored["interpretation"]["attributes"]}
    assert {"wing color: blue", "crown color: blue", "size: small"} <= set(found)
    assert found["crown color: blue"]["phrase"]
    assert "singing" in stored["interpretation"]["words_not_used"]
    detail = client.get("/classes/blue-bird", params={"space": space}).json()
    assert (detail["kind"], detail["prompt"], detail["revision"]) == ("prompt", body["prompt"], 1)


def test_a_dry_run_interprets_and_stores_nothing(client: httpx.Client, space: str) -> None:
    where = {"space": space}
    body = without(new(prompt="a small bird with a blue crown, blue wings and pointed ears"), "attributes")
    dry = client.post("/classes", params=where | {"dry_run": True}, json=body)
    assert (dry.status_code, dry.json()["revision"], dry.headers["x-registry-revision"]) == (200, 0, "0")
    assert "location" not in dry.headers
    assert dry.json()["interpretation"]["parts_not_known"] == ["ear"]
    assert client.get("/classes/blue-bird", params=where).status_code == 404
    assert client.get("/classes", params=where).json()["revision"] == 0

    stored = client.post("/classes", params=where, json=body)
    assert stored.status_code == 201
    assert without(stored.json(), "revision", "version") == without(dry.json(), "revision", "version", "degrees")
    shown = client.get("/classes/blue-bird", params=where).json()["attributes"]
    assert [row["key"] for row in dry.json()["degrees"]] == [row["key"] for row in shown]
    assert [row["degree"] for row in dry.json()["degrees"]] == pytest.approx([row["degree"] for row in shown])
    assert (dry.json()["version"], stored.json()["version"]) == (0, 1)
    again = client.post("/classes", params=where | {"dry_run": True}, json=body)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/class-exists")
    assert client.get("/classes", params=where).json()["revision"] == 1


def test_a_dry_run_refuses_what_registering_would(client: httpx.Client, space: str) -> None:
    where: dict[str, str | bool] = {"space": space, "dry_run": True}
    for body, status in ((new(id="red-bird"), 409), (new(attributes={"size: small": 2}), 422)):
        assert client.post("/classes", params=where, json=body).status_code == status


def test_a_structured_prompt_is_read_exactly(client: httpx.Client, space: str) -> None:
    body = without(new(prompt="wing color: blue, red | size: small"), "attributes")
    stored = client.post("/classes", params={"space": space}, json=body).raise_for_status().json()
    found = stored["interpretation"]["attributes"]
    assert {attribute["how"] for attribute in found} == {"exact"}
    assert {attribute["key"] for attribute in found} == {"wing color: blue", "wing color: red", "size: small"}


def test_list_get_delete(client: httpx.Client, space: str) -> None:
    where = {"space": space}
    for name in ("b-bird", "a-bird"):
        client.post("/classes", params=where, json=new(id=name)).raise_for_status()
    everything = client.get("/classes", params=where).json()
    assert (everything["total"], everything["revision"]) == (len(SEEN) + 2, 2)
    assert [entry["id"] for entry in everything["classes"]] == [*SEEN, "b-bird", "a-bird"]
    assert [entry["kind"] for entry in everything["classes"]] == ["bundle"] * len(SEEN) + ["mapping"] * 2
    page = client.get("/classes", params=where | {"seen": False, "offset": 1, "limit": 1}).json()
    assert ([entry["id"] for entry in page["classes"]], page["total"]) == (["a-bird"], 2)
    assert client.get("/classes", params=where | {"seen": True}).json()["total"] == len(SEEN)
    assert client.get("/classes", params=where | {"offset": 99}).json()["classes"] == []

    seen = client.get("/classes/red-bird", params=where).json()
    assert (seen["seen"], seen["kind"], seen["created_at"]) == (True, "bundle", None)
    shown = {a["key"]: a["degree"] for a in seen["attributes"] if a["degree"]}
    assert shown == pytest.approx(SEEN["red-bird"])

    assert client.delete("/classes/a-bird", params=where).json() == {"id": "a-bird", "revision": 3}
    assert client.get("/classes/a-bird", params=where).status_code == 404
    gone = client.delete("/classes/a-bird", params=where)
    assert (gone.status_code, gone.json()["type"]) == (404, "/problems/class-not-found")
    assert client.get("/classes", params=where).json()["revision"] == 3


def test_searching_by_name(client: httpx.Client, space: str) -> None:
    where = {"space": space}
    for name, label in (("blue-bird", "Blue Bird"), ("dodo", "Great Grey"), ("big-grey", "Émeu")):
        client.post("/classes", params=where, json=new(id=name, label=label)).raise_for_status()

    def found(**query: str | bool | int) -> tuple[list[str], int]:
        asked: dict[str, str | bool | int] = {"space": space, **query}
        page = client.get("/classes", params=asked).raise_for_status().json()
        return [entry["id"] for entry in page["classes"]], page["total"]

    assert found(q=" GREY ") == (["dodo", "big-grey"], 2)
    assert found(q="grey", limit=1, offset=1) == (["big-grey"], 2)
    assert found(q="éMEU") == (["big-grey"], 1)
    assert found(q="bird", seen=True) == (list(SEEN), len(SEEN))
    assert found(q="bird", seen=False) == (["blue-bird"], 1)
    assert found(q="nothing") == ([], 0)
    assert found(q="", seen=False) == found(seen=False)
    client.patch("/classes/red-bird", params=where, json={"hidden": True}).raise_for_status()
    assert found(q="RED-B", hidden=True) == (["red-bird"], 1)
    assert found(q="blue", hidden=True) == ([], 0)
    assert client.get("/classes", params=where | {"q": "x" * 121}).status_code == 422


def test_an_id_is_free_again_after_delete(client: httpx.Client, space: str) -> None:
    where = {"space": space}
    client.post("/classes", params=where, json=new()).raise_for_status()
    client.delete("/classes/blue-bird", params=where).raise_for_status()
    assert client.post("/classes", params=where, json=new()).json()["revision"] == 3


def test_duplicates_and_seen_classes(client: httpx.Client, space: str) -> None:
    where = {"space": space}
    client.post("/classes", params=where, json=new()).raise_for_status()
    again = client.post("/classes", params=where, json=new(label="Other"))
    assert (again.status_code, again.json()["type"], again.json()["got"]) == (
        409,
        "/problems/class-exists",
        "blue-bird",
    )
    taken = client.post("/classes", params=where, json=new(id="red-bird"))
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/class-exists")
    stays = client.delete("/classes/red-bird", params=where)
    assert (stays.status_code, stays.json()["type"]) == (409, "/problems/class-is-seen")
    listed = client.get("/classes", params=where | {"seen": False}).json()
    assert (listed["revision"], [entry["label"] for entry in listed["classes"]]) == (1, ["Blue Bird"])


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no id": (without(new(), "id"), "invalid-class", "id"),
    "no label": (without(new(), "label"), "invalid-class", "label"),
    "no description": (without(new(), "attributes"), "invalid-class", "neither"),
    "two descriptions": (new(prompt="a red bird"), "invalid-class", "both"),
    "null description": (new(attributes=None), "invalid-class", "neither"),
    "upper-case id": (new(id="Blue-Bird"), "invalid-class", "id"),
    "id with a slash": (new(id="a/b"), "invalid-class", "id"),
    "long id": (new(id="a" * 65), "invalid-class", "id"),
    "id with newline": (new(id="blue-bird\n"), "invalid-class", "id"),
    "number as id": (new(id=7), "invalid-class", "id"),
    "blank label": (new(label="  "), "invalid-class", "label"),
    "control character": (new(label="a\0b"), "invalid-class", "label"),
    "long label": (new(label="x" * 121), "invalid-class", "label"),
    "unknown member": (new(colour="red"), "invalid-class", "colour"),
    "text as attributes": (new(attributes="red"), "invalid-class", "attributes"),
    "short vector": (new(attributes=VECTOR[:-1]), "invalid-class", "11 numbers; 12"),
    "long vector": (new(attributes=[*VECTOR, 0.0]), "invalid-class", "13 numbers; 12"),
    "empty vector": (new(attributes=[]), "invalid-class", "0 numbers"),
    "zero vector": (new(attributes=[0.0] * 12), "invalid-class", "0"),
    "negative number": (new(attributes=[-0.1, *VECTOR[1:]]), "invalid-class", "wing color: red"),
    "boolean in vector": (new(attributes=[True, *VECTOR[1:]]), "invalid-class", "True"),
    "text in vector": (new(attributes=["1", *VECTOR[1:]]), "invalid-class", "'1'"),
    "null in vector": (new(attributes=[None, *VECTOR[1:]]), "invalid-class", "None"),
    "empty mapping": (new(attributes={}), "invalid-class", "at least one"),
    "degree above 1": (new(attributes={"size: small": 1.5}), "invalid-class", "1.5"),
    "boolean degree": (new(attributes={"size: small": True}), "invalid-class", "True"),
    "nested degree": (new(attributes={"size: small": [1]}), "invalid-class", "size: small"),
    "same name twice": (new(attributes={"size: small": 1, "Size:small": 0.5}), "invalid-class", "same attribute"),
    "unknown name": (new(attributes={"wing colour: blue": 1}), "unknown-attribute", "wing color: blue"),
    "many unknown names": (new(attributes={f"x{n}: y": 1 for n in range(5000)}), "unknown-attribute", "more"),
    "empty prompt": (without(new(prompt=""), "attributes"), "unclear-prompt", "0 words"),
    "blank prompt": (without(new(prompt=" \n "), "attributes"), "unclear-prompt", "0 words"),
    "long prompt": (without(new(prompt="red " * 600), "attributes"), "invalid-class", "prompt"),
    "not understood": (without(new(prompt="the of and"), "attributes"), "unclear-prompt", "understood"),
    "unknown key": (without(new(prompt="wing color: mauve | size: small"), "attributes"), "unknown-attribute", "mauve"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_descriptions_that_are_refused(client: httpx.Client, space: str, name: str) -> None:
    body, slug, told = REFUSED[name]
    answer = client.post("/classes", params={"space": space}, json=body)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, f"/problems/{slug}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in problem["detail"]
    assert client.get("/classes", params={"space": space}).json()["revision"] == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"id": "a", "id": "b"}',
        b'{"id": "a", "label": "\\ud800", "attributes": {"size: small": 1}}',
        b'{"id": "a", "label": "A", "attributes": {"size: small": 1, "size: small": 0}}',
        b'{"id": "a", "label": "A", "attributes": {"size: small": NaN}}',
        b'{"id": "a", "label": "A", "attributes": {"size: small": Infinity}}',
        b'{"id": "a", "label": "A", "attributes": {"size: small": 1' + b"0" * 400 + b"}}",
        b'{"id": "a", "label": "A", "attributes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_bodies_that_are_no_json_object(client: httpx.Client, space: str, raw: bytes) -> None:
    answer = client.post("/classes", params={"space": space}, content=raw, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-json")
    assert client.get("/classes", params={"space": space}).json()["revision"] == 0


@pytest.mark.parametrize("number", ["1e400", "-1e400"])
def test_numbers_that_overflow(client: httpx.Client, space: str, number: str) -> None:
    raw = f'{{"id": "a", "label": "A", "attributes": [{number}, {", ".join(["1"] * 11)}]}}'
    answer = client.post("/classes", params={"space": space}, content=raw, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-class")


def test_unknown_names_come_with_the_nearest(client: httpx.Client, space: str) -> None:
    body = new(attributes={"wing colour: blue": 1, "beak: blue": 1})
    problem = client.post("/classes", params={"space": space}, json=body).json()
    assert [error["where"] for error in problem["errors"]] == ["wing colour: blue", "beak: blue"]
    assert problem["errors"][0]["nearest"][0] == "wing color: blue"


def test_wrong_length_says_what_is_needed(client: httpx.Client, space: str) -> None:
    problem = client.post("/classes", params={"space": space}, json=new(attributes=[1.0])).json()
    assert (problem["got"], problem["allowed"]) == (1, 12)
    assert problem["example"]


def test_json_that_is_too_large_or_no_json(client: httpx.Client, space: str) -> None:
    where = {"space": space}
    large = client.post("/classes", params=where, content=b" " * (2**20 + 1), headers=JSON)
    assert (large.status_code, large.json()["type"]) == (413, "/problems/body-too-large")
    other = client.post("/classes", params=where, content=b"{}", headers={"Content-Type": "text/plain"})
    assert (other.status_code, other.json()["type"]) == (415, "/problems/unsupported-media-type")


@pytest.mark.parametrize("class_id", ["no-such", "No%20such", "x" * 300])
def test_classes_that_are_not_there(client: httpx.Client, space: str, class_id: str) -> None:
    for method in ("GET", "DELETE"):
        answer = client.request(method, f"/classes/{class_id}", params={"space": space})
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/class-not-found")


def test_the_schema_with_its_prompt_sets(client: httpx.Client) -> None:
    schema = client.get("/attributes").json()
    assert (schema["model_id"], schema["count"]) == ("tiny", len(SCHEMA))
    assert [entry["prompt"] for entry in schema["prompt_sets"]] == list(SCHEMA.prompts)
    listed = [attribute for entry in schema["prompt_sets"] for attribute in entry["attributes"]]
    assert [attribute["key"] for attribute in sorted(listed, key=lambda a: a["index"])] == list(SCHEMA.keys)
