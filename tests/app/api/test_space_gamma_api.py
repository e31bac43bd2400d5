"""The γ of a class space: set and cleared over HTTP, used by every answer, versioned, logged and copied."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import httpx
import pytest

from tests.tiny_bundle import ALL_BLUE, CALIBRATION, picture_bytes

BLUE = {"id": "blue-bird", "label": "Blue Bird", "attributes": ALL_BLUE}
PHOTO = picture_bytes("red")


@pytest.fixture
def base(client: httpx.Client, space: str) -> str:
    """Path of a space with one registered class."""
    client.post(f"/spaces/{space}/classes", json=BLUE).raise_for_status()
    return f"/spaces/{space}"


def used(client: httpx.Client, base: str, **query: Any) -> float:
    """γ of an answer of /classify, which its scores agree with."""
    answer = client.post(f"{base}/classify", params=query, files={"image": PHOTO}).raise_for_status().json()
    gamma = float(answer["model"]["gamma"])
    for found in answer["predictions"]:
        assert found["calibrated_score"] == pytest.approx(found["score"] - gamma * found["seen"], abs=1e-5)
    return gamma


def test_the_request_goes_before_the_space_and_the_space_before_the_model(client: httpx.Client, base: str) -> None:
    assert used(client, base) == CALIBRATION["gamma"]
    answer = client.patch(base, json={"gamma": 2.5})
    assert (answer.status_code, answer.headers["x-registry-revision"]) == (200, "2")
    assert answer.json() == {"name": base.removeprefix("/spaces/"), "gamma": 2.5, "revision": 2}
    assert client.get(base).json()["gamma"] == 2.5
    assert client.get(base).json()["classes"] == 1
    assert (used(client, base), used(client, base, gamma=0.75)) == (2.5, 0.75)
    assert client.patch(base, json={"gamma": None}).json()["revision"] == 3
    assert client.get(base).json()["gamma"] is None
    assert used(client, base) == CALIBRATION["gamma"]


def test_a_large_gamma_changes_every_kind_of_answer(client: httpx.Client, base: str, space: str) -> None:
    def answers() -> list[Any]:
        files = {"image": PHOTO}
        ranked = client.post(f"{base}/classify", files=files).raise_for_status().json()
        explained = client.get(f"{base}/explain", params={"image_id": ranked["image_id"]}).raise_for_status().json()
        mapped = client.post(f"{base}/explain/map", files=files).raise_for_status()
        pair = {
            "inputs": base64.b64encode(PHOTO).decode(),
            "parameters": {"candidate_labels": ["red-bird", "blue-bird"]},
        }
        labels = client.post("/hf/zero-shot-image-classification", params={"space": space}, json=pair)
        first = ranked["predictions"][0]["class_id"]
        assert explained["model"] == ranked["model"]
        return [
            first,
            explained["class"]["class_id"],
            mapped.headers["x-map-of"].partition(" ")[0],
            labels.raise_for_status().json()[0]["label"],
        ]

    before = answers()
    assert before[:2] == ["red-bird", "red-bird"]
    client.patch(base, json={"gamma": 50}).raise_for_status()
    after = answers()
    assert after[:2] == ["blue-bird", "blue-bird"]
    assert (before[3], after[3]) == ("red-bird", "blue-bird")
    assert before[2] != after[2]


def test_it_is_logged_replayed_copied_and_ends_with_the_space(client: httpx.Client, base: str) -> None:
    for gamma in (2.5, -1, None, 3):
        client.patch(base, json={"gamma": gamma}).raise_for_status()
    entries = client.get(f"{base}/log").json()["entries"]
    operations = [(entry["revision"], entry["operation"], entry["actor"]) for entry in entries]
    acts = ["set-gamma 3", "clear-gamma", "set-gamma -1", "set-gamma 2.5", "register"]
    assert operations == [(5 - place, act, "anonymous") for place, act in enumerate(acts)]
    at = [used(client, base, as_of=revision) for revision in range(1, 6)]
    assert at == [CALIBRATION["gamma"], 2.5, -1, CALIBRATION["gamma"], 3]
    copy = f"{base}-copy"
    name = base.removeprefix("/spaces/")
    client.post("/spaces", json={"name": f"{name}-copy", "copy_of": name}).raise_for_status()
    client.patch(base, json={"gamma": 4}).raise_for_status()
    assert (client.get(copy).json()["gamma"], used(client, copy), used(client, base)) == (3, 3, 4)
    client.delete(copy).raise_for_status()
    client.post(f"{copy}/classes", json=BLUE).raise_for_status()
    assert used(client, copy) == CALIBRATION["gamma"]


def test_a_guarantee_given_for_another_gamma_is_void(client: httpx.Client, base: str, space: str) -> None:
    photos = []
    shades = {"red": "#{:02x}0000", "blue": "#0000{:02x}"}
    for name, light in itertools.product(shades, range(255, 231, -2)):  # no two photos alike
        photo = picture_bytes(shades[name].format(light))
        ranked = client.post(f"{base}/classify", files={"image": photo}).raise_for_status().json()
        photos.append({"image_id": ranked["image_id"], "class_id": f"{name}-bird"})
    client.post("/calibration", params={"space": space}, json={"photos": photos}).raise_for_status()

    def sets(**query: Any) -> dict[str, Any]:
        asked = {"coverage": 0.9} | query
        answer = client.post(f"{base}/classify", params=asked, files={"image": PHOTO}).raise_for_status().json()
        found: dict[str, Any] = answer["coverage"]
        return found

    before, wanted = sets(), sets(gamma=50)
    assert (before["guarantee"], before["set"]) == ("valid", ["red-bird"])
    assert wanted["set"] != before["set"]
    client.patch(base, json={"gamma": 50}).raise_for_status()
    assert sets() == wanted | {"guarantee": "void: class set or γ changed since revision 1"}


def test_the_settings_are_no_class(client: httpx.Client, base: str) -> None:
    client.patch(base, json={"gamma": 2.5}).raise_for_status()
    path = f"{base}/classes/_settings"
    refused = [client.get(path), client.delete(path), client.patch(path, json={"label": "x"})]
    assert [answer.status_code for answer in refused] == [404, 404, 404]
    assert client.put(path, json=BLUE | {"id": "_settings"}).status_code == 422
    assert "_settings" not in client.get(f"{base}/classes").text
    exported = client.get(f"{base}/export").text
    assert "_settings" not in exported
    assert "_settings" not in client.get(f"{base}/export", params={"format": "csv"}).text
    row = '{"id": "_settings", "label": "x", "kind": "settings", "detail": {"gamma": 9}, "degrees": [1, 1]}'
    kind = {"content-type": "application/x-ndjson"}
    assert client.post(f"{base}/import", content=row, headers=kind).status_code == 422
    again = client.post(f"{base}/import", params={"mode": "replace"}, content=exported, headers=kind)
    assert again.raise_for_status().json()["imported"] == 1
    assert client.get(base).json()["gamma"] == 2.5


@pytest.mark.parametrize("body", [{}, {"gamma": "1"}, {"gamma": 1001}, {"gamma": True}, {"gamma": 1, "label": "x"}])
def test_what_is_refused(client: httpx.Client, base: str, body: dict[str, Any]) -> None:
    answer = client.patch(base, json=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-parameter")
    assert client.get(base).json()["revision"] == 1


def test_spaces_that_are_not_there(client: httpx.Client, space: str) -> None:
    answer = client.patch(f"/spaces/{space}", json={"gamma": 1.2})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/space-not-found")
