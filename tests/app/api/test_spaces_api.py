"""Class spaces: make, list, copy, delete, their paths, the log, and answers from another revision."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from app.api.deps import actor_of
from tests.tiny_bundle import ALL_BLUE, SEEN, picture_bytes

BLUE = {"id": "blue-bird", "label": "Blue Bird", "attributes": ALL_BLUE}
PHOTO = {"image": picture_bytes("blue")}


def test_make_list_and_delete(client: httpx.Client, space: str) -> None:
    made = client.post("/spaces", json={"name": space, "label": "Warblers"})
    assert (made.status_code, made.json()) == (201, {"name": space, "revision": 1})
    assert made.headers["location"] == f"/spaces/{space}"
    client.post(f"/spaces/{space}/classes", json=BLUE).raise_for_status()
    told = client.get(made.headers["location"]).json()
    assert (told["name"], told["label"], told["classes"], told["revision"]) == (space, "Warblers", 1, 2)
    assert told in client.get("/spaces").json()["spaces"]
    again = client.post("/spaces", json={"name": space})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/space-exists")
    gone = client.delete(f"/spaces/{space}")
    assert (gone.json(), gone.headers["x-registry-revision"]) == ({"name": space, "revision": 3}, "3")
    for answer in (client.get(f"/spaces/{space}"), client.delete(f"/spaces/{space}")):
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/space-not-found")
    left = client.get(f"/spaces/{space}/classes").json()
    assert ([entry["id"] for entry in left["classes"]], left["revision"]) == ([*SEEN], 3)


def test_the_default_space_stays(client: httpx.Client) -> None:
    answer = client.delete("/spaces/default")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/space-is-default")
    assert client.get("/spaces/default").json()["name"] == "default"
    assert "default" in [space["name"] for space in client.get("/spaces").json()["spaces"]]


@pytest.mark.parametrize("body", [{}, {"name": "A"}, {"name": "a", "copy_of": 1}, {"name": "a", "more": 1}])
def test_spaces_that_are_refused(client: httpx.Client, body: dict[str, Any]) -> None:
    assert client.post("/spaces", json=body).status_code == 422


def test_a_copy_has_everything_and_goes_its_own_way(client: httpx.Client, space: str) -> None:
    base = f"/spaces/{space}"
    client.post(f"{base}/classes", json=BLUE).raise_for_status()
    client.patch(f"{base}/classes/red-bird", json={"hidden": True}).raise_for_status()
    client.post("/spaces", json={"name": f"{space}-b", "copy_of": space}).raise_for_status()
    client.delete(f"{base}/classes/blue-bird").raise_for_status()
    copied = client.get(f"{base}-b/classes").json()
    assert [entry["id"] for entry in copied["classes"]] == [*(n for n in SEEN if n != "red-bird"), "blue-bird"]
    assert copied["revision"] == 1
    log = client.get(f"{base}-b/log")
    entry = log.json()["entries"][0]
    assert (entry["operation"], entry["count"]) == (f"copy-space {space}@2", 2)
    assert log.headers["X-Registry-Revision"] == str(entry["revision"])
    missing = client.post("/spaces", json={"name": f"{space}-c", "copy_of": "never-met"})
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/space-not-found")


def test_paths_and_the_query_name_the_same_space(client: httpx.Client, space: str) -> None:
    client.post(f"/spaces/{space}/classes", json=BLUE).raise_for_status()
    by_path = client.get(f"/spaces/{space}/classes/blue-bird").json()
    assert by_path == client.get("/classes/blue-bird", params={"space": space}).json()
    ranked = client.post(f"/spaces/{space}/classify", files=PHOTO).json()
    assert ranked["predictions"][0]["class_id"] == "blue-bird"
    explained = client.get(f"/spaces/{space}/explain", params={"image_id": ranked["image_id"]}).json()
    assert explained["class"]["class_id"] == "blue-bird"
    assert client.get("/classes/blue-bird").status_code == 404
    other = client.get(f"/spaces/{space}/explain", params={"image_id": ranked["image_id"], "class_id": "no-such"})
    assert (other.status_code, other.headers["x-registry-revision"]) == (404, "1")
    empty = client.post(f"/spaces/{space}-b/classify", params={"candidates": "unseen"}, files=PHOTO)
    assert (empty.status_code, empty.headers["x-registry-revision"]) == (409, "0")
    assert client.get("/spaces/Bad/classes").status_code == 422


def test_the_log_says_who_did_what(client: httpx.Client, space: str) -> None:
    base = f"/spaces/{space}"
    client.post(f"{base}/classes", json=BLUE).raise_for_status()
    client.patch(f"{base}/classes/blue-bird", json={"label": "B"}).raise_for_status()
    client.delete(f"{base}/classes/blue-bird").raise_for_status()
    entries = client.get(f"{base}/log").json()["entries"]
    assert [(e["revision"], e["operation"], e["actor"], e["ids"]) for e in entries] == [
        (3, "delete", "anonymous", ["blue-bird"]),
        (2, "change", "anonymous", ["blue-bird"]),
        (1, "register", "anonymous", ["blue-bird"]),
    ]
    page = client.get(f"{base}/log", params={"before": 3, "limit": 1}).json()["entries"]
    assert [entry["revision"] for entry in page] == [2]
    assert all(entry["at"].startswith("20") for entry in entries)


def test_an_application_names_who_asks() -> None:
    app = FastAPI()
    request = Request({"type": "http", "app": app, "headers": [(b"x-user", b"ada")]})
    assert actor_of(request) == "anonymous"
    app.state.actor_of = lambda asked: asked.headers["x-user"]
    assert actor_of(request) == "ada"


def test_an_old_revision_is_replayed(client: httpx.Client, space: str) -> None:
    base = f"/spaces/{space}"
    client.post(f"{base}/classes", json=BLUE).raise_for_status()
    client.patch(f"{base}/classes/blue-bird", json={"label": "Renamed"}).raise_for_status()
    client.patch(f"{base}/classes/red-bird", json={"hidden": True}).raise_for_status()
    client.delete(f"{base}/classes/blue-bird").raise_for_status()
    shown = []
    for revision in range(5):
        listed = client.get(f"{base}/classes", params={"as_of": revision})
        assert listed.headers["x-registry-revision"] == str(listed.json()["revision"]) == str(revision)
        shown.append([entry["label"] for entry in listed.json()["classes"] if "Bird" in entry["label"]])
    assert [len(labels) for labels in shown] == [4, 5, 4, 3, 3]
    at_one = client.post(f"{base}/classify", params={"as_of": 1}, files=PHOTO).json()
    assert (at_one["predictions"][0]["label"], at_one["revision"]) == ("Blue Bird", 1)
    at_two = client.get(f"{base}/classes/blue-bird", params={"as_of": 2}).json()
    assert (at_two["label"], at_two["version"]) == ("Renamed", 2)
    assert {a["key"]: a["degree"] for a in at_two["attributes"] if a["degree"]} == pytest.approx(ALL_BLUE)
    gone = client.get(f"{base}/classes/blue-bird", params={"as_of": 4})
    assert (gone.status_code, gone.headers["x-registry-revision"]) == (404, "4")
    future = client.get(f"{base}/classes", params={"as_of": 5})
    assert (future.status_code, future.json()["type"]) == (503, "/problems/revision-not-reached")
    client.delete(base).raise_for_status()
    forgotten = client.get(f"{base}/classes", params={"as_of": 4})
    assert (forgotten.status_code, forgotten.json()["type"]) == (410, "/problems/revision-forgotten")


def test_a_revision_to_wait_for(client: httpx.Client, space: str) -> None:
    base = f"/spaces/{space}"
    revision = client.post(f"{base}/classes", json=BLUE).headers["x-registry-revision"]
    ranked = client.post(f"{base}/classify", params={"min_revision": revision}, files=PHOTO).raise_for_status()
    assert ranked.headers["x-registry-revision"] == "1"
    late = client.get(f"{base}/classes", params={"min_revision": 2})
    assert (late.status_code, late.json()["type"]) == (503, "/problems/revision-not-reached")
    assert (late.json()["got"], late.headers["retry-after"]) == (2, "1")
    both = client.get(f"{base}/classes", params={"min_revision": 1, "as_of": 1})
    assert (both.status_code, both.json()["type"]) == (422, "/problems/invalid-parameter")
