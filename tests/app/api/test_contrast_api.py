"""GET /explain: why not another class, and what would have to be different for it to be the answer."""

from __future__ import annotations

import math
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tiny_bundle import ALL_BLUE, CALIBRATION, SCHEMA, SEEN, degrees, picture_bytes

COLOURS = ("red", "green", "blue", "purple", "orange", "white", "black", "grey")


def classify(client: httpx.Client, photo: bytes, **query: Any) -> dict[str, Any]:
    answer = client.post("/classify", params=query, files={"image": photo}).raise_for_status()
    result: dict[str, Any] = answer.json()
    return result


def explain(client: httpx.Client, image_id: str, **query: Any) -> dict[str, Any]:
    answer = client.get("/explain", params={"image_id": image_id} | query).raise_for_status()
    result: dict[str, Any] = answer.json()
    return result


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    crown=st.sampled_from(COLOURS),
    wing=st.sampled_from(COLOURS),
    pair=st.permutations([*SEEN, "blue-bird"]),
    gamma=st.none() | st.floats(-2, 2),
)
def test_the_explanation_is_the_classifier_s(
    client: httpx.Client, crown: str, wing: str, pair: list[str], gamma: float | None
) -> None:
    """Scores, calibrated scores and their difference are those of /classify, whatever the photo, the pair and γ."""
    body = {"id": "blue-bird", "label": "B", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": "agreement"}, json=body)  # the first time; later it is there
    query: dict[str, Any] = {"space": "agreement"} | ({} if gamma is None else {"gamma": gamma})
    answer = classify(client, picture_bytes(crown, wing), **query)
    scores = {prediction["class_id"]: prediction for prediction in answer["predictions"]}
    first, second = pair[:2]
    shown = explain(client, answer["image_id"], class_id=first, versus=second, **query)
    contrast = shown["contrast"]
    assert (shown["class"]["score"], contrast["score"]) == (scores[first]["score"], scores[second]["score"])
    for name, part in ((first, shown["class"]), (second, contrast)):
        assert part["calibrated_score"] == pytest.approx(scores[name]["calibrated_score"], abs=1e-12)
    assert len(contrast["contributions"]) == len(SCHEMA)
    total = math.fsum(part["contribution"] for part in contrast["contributions"])
    assert total == pytest.approx(contrast["score_difference"], abs=1e-12)
    assert contrast["score_difference"] == scores[first]["score"] - scores[second]["score"]
    ahead = scores[first]["calibrated_score"] - scores[second]["calibrated_score"]
    assert contrast["calibrated_difference"] == pytest.approx(ahead, abs=1e-12)
    used = CALIBRATION["gamma"] if gamma is None else gamma
    assert (answer["model"]["gamma"], shown["model"]["gamma"]) == (used, used)


def test_edits_of_a_class_make_it_the_answer(client: httpx.Client, space: str) -> None:
    """What /explain proposes is done: the edited description is registered, and wins."""
    photo = picture_bytes("blue", "red")
    image = classify(client, photo, space=space)
    shown = explain(client, image["image_id"], versus="green-bird", edits=True, space=space)["edits"]
    assert (shown["class_id"], shown["instead_of"]) == ("green-bird", image["predictions"][0]["class_id"])
    assert shown["class_degrees"]
    described = {key: float(value) for key, value in zip(SCHEMA.keys, degrees(SEEN["green-bird"]), strict=True)}
    for edit in shown["class_degrees"]:
        assert described[edit["attribute"]] == pytest.approx(edit["before"])
        described[edit["attribute"]] = edit["after"]
    vector = [described[key] for key in SCHEMA.keys]
    body = {"id": "edited-bird", "label": "Edited", "attributes": vector}
    client.post("/classes", params={"space": space}, json=body).raise_for_status()
    after = classify(client, photo, space=space, gamma=0)
    best = after["predictions"][0]["calibrated_score"]
    edited = next(p for p in after["predictions"] if p["class_id"] == "edited-bird")
    target = image["predictions"][0]["calibrated_score"] + CALIBRATION["gamma"]  # green-bird is seen
    assert edited["score"] > target - 1e-5
    assert edited["score"] == pytest.approx(best, abs=0.2)


def test_edits_of_the_photo_put_the_class_ahead(client: httpx.Client, space: str) -> None:
    image = classify(client, picture_bytes("red", "red"), space=space)
    shown = explain(client, image["image_id"], class_id="red-bird", versus="green-bird", edits=True, space=space)
    v = {part["attribute"]: part for part in shown["contrast"]["contributions"]}
    changed = shown["edits"]["photo_attributes"]
    gain = sum((e["after"] - e["before"]) * (v[e["attribute"]]["z_versus"] - v[e["attribute"]]["z"]) for e in changed)
    assert gain > shown["contrast"]["calibrated_difference"] > 0
    assert [edit["before"] for edit in changed] == [v[edit["attribute"]]["v"] for edit in changed]


def test_without_a_rival_named_the_second_best_is_taken(client: httpx.Client, space: str) -> None:
    image = classify(client, picture_bytes("red"), space=space)
    shown = explain(client, image["image_id"], edits=True, space=space)
    assert shown["contrast"] is None
    assert shown["edits"]["class_id"] == image["predictions"][1]["class_id"]
    own = explain(client, image["image_id"], versus=image["predictions"][0]["class_id"], edits=True, space=space)
    assert (own["edits"]["class_degrees"], own["edits"]["photo_attributes"]) == ([], [])


def test_an_unknown_rival(client: httpx.Client, space: str) -> None:
    image = classify(client, picture_bytes("red"), space=space)
    answer = client.get("/explain", params={"image_id": image["image_id"], "versus": "no-such", "space": space})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/class-not-found")
    answer = client.post("/explain", params={"versus": "no-such"}, files={"image": picture_bytes("red")})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/class-not-found")


def test_gamma_is_of_the_request(client: httpx.Client, space: str) -> None:
    body = {"id": "blue-bird", "label": "B", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": space}, json=body).raise_for_status()
    photo = picture_bytes("blue")
    for gamma, wins in ((-5.0, True), (5.0, False)):
        answer = classify(client, photo, space=space, gamma=gamma)
        assert answer["predictions"][0]["seen"] is wins
        assert answer["model"]["gamma"] == gamma
        for prediction in answer["predictions"]:
            expected = prediction["score"] - gamma * prediction["seen"]
            assert np.isclose(prediction["calibrated_score"], expected)
    for bad in ("nan", "inf", "much"):
        refused = client.post("/classify", params={"gamma": bad}, files={"image": photo})
        assert (refused.status_code, refused.json()["errors"][0]["where"]) == (422, "query.gamma")
