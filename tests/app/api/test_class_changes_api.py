"""PUT, PATCH, DELETE with conditions; expiry; seen classes hidden and relabelled; near duplicates."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.tiny_bundle import ALL_BLUE, SEEN, picture_bytes

BLUE = {"label": "Blue Bird", "attributes": ALL_BLUE}


@pytest.fixture
def where(space: str) -> dict[str, Any]:
    """Query parameters that name the test's own space."""
    return {"space": space}


def ids(client: httpx.Client, where: dict[str, Any], **query: Any) -> list[str]:
    answer = client.get("/classes", params=where | query).raise_for_status()
    return [entry["id"] for entry in answer.json()["classes"]]


def test_put_creates_then_replaces(client: httpx.Client, where: dict[str, Any]) -> None:
    made = client.put("/classes/b", params=where, json=BLUE)
    assert (made.status_code, made.json()["version"], made.headers["etag"]) == (201, 1, '"1-1"')
    created = client.get("/classes/b", params=where).json()["created_at"]
    replaced = client.put("/classes/b", params=where, json={"id": "b", "label": "Red", "prompt": "wing color: red"})
    assert (replaced.status_code, replaced.json()["version"], replaced.json()["kind"]) == (200, 2, "prompt")
    assert replaced.json()["interpretation"]["attributes"][0]["key"] == "wing color: red"
    shown = client.get("/classes/b", params=where)
    assert (shown.json()["label"], shown.json()["version"], shown.json()["created_at"]) == ("Red", 2, created)
    assert shown.headers["etag"] == replaced.headers["etag"] == '"2-2"'
    other = client.put("/classes/b", params=where, json=BLUE | {"id": "c"})
    assert (other.status_code, other.json()["type"], other.json()["got"]) == (422, "/problems/invalid-class", "c")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_if_match_guards_against_overwriting(client: httpx.Client, where: dict[str, Any], method: str) -> None:
    body = None if method == "DELETE" else BLUE if method == "PUT" else {"label": "Late"}
    old = client.put("/classes/b", params=where, json=BLUE).headers["etag"]
    client.patch("/classes/b", params=where, json={"label": "Changed"}).raise_for_status()
    late = client.request(method, "/classes/b", params=where, json=body, headers={"If-Match": old})
    assert (late.status_code, late.json()["type"]) == (412, "/problems/precondition-failed")
    assert late.json()["allowed"] == '"2-2"'
    assert client.get("/classes/b", params=where).json()["label"] == "Changed"
    headers = {"If-Match": f'"9-9", {late.json()["allowed"]}'}
    done = client.request(method, "/classes/b", params=where, json=body, headers=headers)
    assert (done.status_code, done.headers["x-registry-revision"]) == (200, "3")


def test_put_only_when_new_or_only_when_there(client: httpx.Client, where: dict[str, Any]) -> None:
    absent = client.put("/classes/b", params=where, json=BLUE, headers={"If-Match": "*"})
    assert absent.status_code == 412
    assert client.put("/classes/b", params=where, json=BLUE, headers={"If-None-Match": "*"}).status_code == 201
    assert client.put("/classes/b", params=where, json=BLUE, headers={"If-None-Match": "*"}).status_code == 412
    assert client.put("/classes/b", params=where, json=BLUE, headers={"If-Match": "*"}).status_code == 200


def test_get_says_when_nothing_changed(client: httpx.Client, where: dict[str, Any]) -> None:
    tag = client.put("/classes/b", params=where, json=BLUE).headers["etag"]
    same = client.get("/classes/b", params=where, headers={"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert client.get("/classes/b", params=where, headers={"If-None-Match": '"0-0"'}).status_code == 200
    assert client.get("/classes/red-bird", params=where).headers["etag"] == '"0-0"'


def test_patch_changes_only_what_it_names(client: httpx.Client, where: dict[str, Any]) -> None:
    client.put("/classes/b", params=where, json=BLUE | {"ttl_seconds": 3600}).raise_for_status()
    before = client.get("/classes/b", params=where).json()
    assert before["expires_at"] == pytest.approx(time.time() + 3600, abs=60)
    renamed = client.patch("/classes/b", params=where, json={"label": "New"}).json()
    assert (renamed["label"], renamed["version"], renamed["interpretation"]) == ("New", 2, None)
    after = client.get("/classes/b", params=where).json()
    assert after["attributes"] == before["attributes"]
    assert after["expires_at"] == before["expires_at"]
    client.patch("/classes/b", params=where, json={"ttl_seconds": None}).raise_for_status()
    described = client.patch("/classes/b", params=where, json={"attributes": {"wing color: red": 1}}).json()
    assert described["interpretation"]["attributes"][0]["key"] == "wing color: red"
    last = client.get("/classes/b", params=where).json()
    assert (last["label"], last["expires_at"], last["version"], last["kind"]) == ("New", None, 4, "mapping")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "Nothing"),
        ({"label": None}, "label"),
        ({"label": " "}, "label"),
        ({"id": "c"}, "id"),
        ({"hidden": True}, "DELETE"),
        ({"ttl_seconds": 0}, "ttl_seconds"),
        ({"ttl_seconds": 1.5}, "ttl_seconds"),
        ({"prompt": "a red bird", "attributes": {"size: small": 1}}, "both"),
        ({"attributes": [1.0]}, "12 are needed"),
    ],
)
def test_changes_that_are_refused(client: httpx.Client, where: dict[str, Any], body: Any, told: str) -> None:
    client.put("/classes/b", params=where, json=BLUE).raise_for_status()
    answer = client.patch("/classes/b", params=where, json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-class")
    assert told in answer.json()["detail"]
    assert client.get("/classes/b", params=where).json()["version"] == 1


def test_what_is_not_there_cannot_be_changed(client: httpx.Client, where: dict[str, Any]) -> None:
    for method, headers in (("PATCH", {}), ("DELETE", {}), ("DELETE", {"If-Match": '"1-1"'})):
        body = {"label": "New"} if method == "PATCH" else None
        answer = client.request(method, "/classes/b", params=where, json=body, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/class-not-found")


def test_a_class_expires(client: httpx.Client, where: dict[str, Any]) -> None:
    client.put("/classes/b", params=where, json=BLUE | {"ttl_seconds": 1}).raise_for_status()
    client.put("/classes/stays", params=where, json=BLUE | {"ttl_seconds": 3600}).raise_for_status()
    assert "b" in ids(client, where)
    deadline = time.monotonic() + 15
    while "b" in ids(client, where):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert ids(client, where, seen=False) == ["stays"]
    entry = client.get("/log", params=where).json()["entries"][0]
    assert (entry["operation"], entry["actor"], entry["ids"]) == ("expire", "time to live", ["b"])


def test_a_seen_class_is_hidden_in_one_space_only(client: httpx.Client, where: dict[str, Any]) -> None:
    photo = {"image": picture_bytes("red")}
    hidden = client.patch("/classes/red-bird", params=where, json={"hidden": True}).json()
    assert (hidden["hidden"], hidden["seen"], hidden["label"], hidden["version"]) == (True, True, "Red Bird", 1)
    assert ids(client, where) == [name for name in SEEN if name != "red-bird"]
    assert ids(client, where, hidden=True) == ["red-bird"]
    assert client.get("/classes/red-bird", params=where).status_code == 404
    ranked = client.post("/classify", params=where, files=photo).json()["predictions"]
    assert "red-bird" not in [prediction["class_id"] for prediction in ranked]
    assert client.post("/classify", files=photo).json()["predictions"][0]["class_id"] == "red-bird"
    shown = client.patch("/classes/red-bird", params=where, json={"hidden": False})
    assert shown.headers["etag"] == '"2-2"'
    assert client.post("/classify", params=where, files=photo).json()["predictions"][0]["class_id"] == "red-bird"


def test_a_space_without_candidates_says_so(client: httpx.Client, where: dict[str, Any]) -> None:
    for name in SEEN:
        client.patch(f"/classes/{name}", params=where, json={"hidden": True}).raise_for_status()
    answer = client.post("/classify", params=where, files={"image": picture_bytes("red")})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/no-candidates")


def test_a_seen_class_is_relabelled(client: httpx.Client, where: dict[str, Any]) -> None:
    headers = {"If-Match": '"0-0"'}
    client.patch("/classes/red-bird", params=where, json={"label": "Roter Vogel"}, headers=headers).raise_for_status()
    assert client.patch("/classes/red-bird", params=where, json={"label": "X"}, headers=headers).status_code == 412
    ranked = client.post("/classify", params=where, files={"image": picture_bytes("red")}).json()["predictions"]
    assert (ranked[0]["class_id"], ranked[0]["label"], ranked[0]["seen"]) == ("red-bird", "Roter Vogel", True)
    shown = client.get("/classes/red-bird", params=where).json()
    assert (shown["label"], shown["kind"], shown["version"]) == ("Roter Vogel", "bundle", 1)
    back = client.patch("/classes/red-bird", params=where, json={"label": None}).json()
    assert back["label"] == "Red Bird"
    refused = client.patch("/classes/red-bird", params=where, json={"prompt": "a red bird"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/class-is-seen")
    assert client.put("/classes/red-bird", params=where, json=BLUE).status_code == 409


def test_near_duplicates_are_named(client: httpx.Client, where: dict[str, Any]) -> None:
    twin = client.post("/classes", params=where, json=BLUE | {"id": "b", "attributes": SEEN["red-bird"]}).json()
    # the bundle has the same degrees but for the prior of prompt sets that are not spoken of
    assert twin["near_duplicates"] == [
        {"class_id": "red-bird", "label": "Red Bird", "seen": True, "similarity": pytest.approx(1, abs=0.01)}
    ]
    assert client.post("/classes", params=where, json=BLUE | {"id": "c"}).json()["near_duplicates"] == []
    again = client.put("/classes/c", params=where, json=BLUE).json()
    assert again["near_duplicates"] == []  # not of itself
    (other,) = client.post("/classes", params=where, json=BLUE | {"id": "d"}).json()["near_duplicates"]
    assert (other["class_id"], other["seen"], other["similarity"]) == ("c", False, pytest.approx(1))
