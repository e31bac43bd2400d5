"""/explain over HTTP: the grounding, and contributions that sum to the score /classify gave."""

from __future__ import annotations

import math
from typing import Any

import httpx
import pytest

from tests.tiny_bundle import ALL_BLUE, SCHEMA, picture_bytes


def classify(client: httpx.Client, photo: bytes, space: str) -> dict[str, Any]:
    answer = client.post("/classify", params={"space": space}, files={"image": photo}).raise_for_status()
    result: dict[str, Any] = answer.json()
    return result


def test_contributions_sum_to_the_score_of_every_class(client: httpx.Client, space: str) -> None:
    client.post(
        "/classes", params={"space": space}, json={"id": "blue-bird", "label": "B", "attributes": ALL_BLUE}
    ).raise_for_status()
    answer = classify(client, picture_bytes("blue", "red"), space)
    for prediction in answer["predictions"]:
        query = {"image_id": answer["image_id"], "class_id": prediction["class_id"], "space": space}
        explained = client.get("/explain", params=query).raise_for_status().json()
        shown = explained["class"]
        assert {key: shown[key] for key in ("class_id", "label", "seen", "score", "calibrated_score")} == {
            key: prediction[key] for key in ("class_id", "label", "seen", "score", "calibrated_score")
        }
        assert len(shown["contributions"]) == len(SCHEMA)
        assert shown["rest"] == 0
        total = math.fsum(part["contribution"] for part in shown["contributions"])
        assert total == pytest.approx(shown["score"], rel=1e-6)
        for part in shown["contributions"]:
            assert part["contribution"] == pytest.approx(part["v"] * part["z"], rel=1e-9, abs=1e-12)
        assert (explained["revision"], explained["model"]) == (answer["revision"], answer["model"])


def test_a_limit_leaves_a_rest(client: httpx.Client, space: str) -> None:
    answer = classify(client, picture_bytes("blue", "red"), space)
    query = {"image_id": answer["image_id"], "limit": 2, "space": space}
    shown = client.get("/explain", params=query).json()["class"]
    values = [part["contribution"] for part in shown["contributions"]]
    assert len(values) == 2
    assert values == sorted(values, reverse=True)
    assert sum(values) + shown["rest"] == pytest.approx(shown["score"], rel=1e-6)


def test_the_default_class_is_the_first_prediction(client: httpx.Client, space: str) -> None:
    answer = classify(client, picture_bytes("green"), space)
    shown = client.get("/explain", params={"image_id": answer["image_id"], "space": space}).json()
    assert shown["class"]["class_id"] == answer["predictions"][0]["class_id"] == "green-bird"
    assert shown["image_id"] == answer["image_id"]


def test_the_grounding_names_three_attributes_of_every_prompt_set(client: httpx.Client, space: str) -> None:
    shown = client.post("/explain", params={"space": space}, files={"image": picture_bytes("red", "green")}).json()
    assert [entry["prompt"] for entry in shown["grounding"]] == list(SCHEMA.prompts)
    for entry in shown["grounding"]:
        scores = [attribute["score"] for attribute in entry["attributes"]]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1)
    best = {entry["prompt"]: entry["attributes"][0]["name"] for entry in shown["grounding"]}
    assert (best["wing color"], best["crown color"]) == ("green", "red")


def test_posting_a_photo_explains_it_and_keeps_it(client: httpx.Client, space: str) -> None:
    photo = picture_bytes("red")
    posted = client.post(
        "/explain", params={"space": space}, content=photo, headers={"Content-Type": "image/png"}
    ).json()
    again = client.get("/explain", params={"space": space, "image_id": posted["image_id"]}).json()
    assert posted == again


def test_a_photo_taken_before_a_class_can_be_explained_with_it(client: httpx.Client, space: str) -> None:
    answer = classify(client, picture_bytes("blue"), space)
    body = {"id": "blue-bird", "label": "Blue", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": space}, json=body).raise_for_status()
    shown = client.get("/explain", params={"image_id": answer["image_id"], "space": space}).json()
    assert (shown["class"]["class_id"], shown["revision"]) == ("blue-bird", 1)


def test_unknown_images_and_classes(client: httpx.Client, space: str) -> None:
    answer = client.get("/explain", params={"image_id": "no-such-image"})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/image-not-found")
    assert "POST /explain" in answer.json()["detail"]
    image_id = classify(client, picture_bytes("red"), space)["image_id"]
    answer = client.get("/explain", params={"image_id": image_id, "class_id": "no-such"})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/class-not-found")
    answer = client.post("/explain", params={"class_id": "no-such"}, files={"image": picture_bytes("red")})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/class-not-found")
    assert client.get("/explain").status_code == 422
    assert client.get("/explain", params={"image_id": image_id, "limit": 0}).status_code == 422
