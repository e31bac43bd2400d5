"""`find` over HTTP: a bird in a corner of a photo is found, classified alone, and the answer says where it was."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from duet_client import DuetClient
from duet_core.runtime.finder import Box
from tests.service_process import ServiceProcess
from tests.tiny_bundle import PREPROCESSING, picture, picture_bytes, write_tiny_bundle
from tests.tiny_finder import add_finder, scene

PLACE = Box(left=0.55, top=0.5, right=0.95, bottom=0.9)


def photo(crown: str, wing: str) -> bytes:
    """A bird in the lower right of a black photo, which its central square cuts through."""
    buffer = io.BytesIO()
    scene(picture(crown, wing), (180, 120), PLACE).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def finding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("service")
    bundle = add_finder(write_tiny_bundle(folder / "tiny"))
    running = ServiceProcess(folder, bundle=bundle, store=f"sqlite:///{folder}/classes.sqlite")
    yield running.start().client
    running.close()


def send(client: httpx.Client, path: str = "/classify", **query: Any) -> httpx.Response:
    body = {"image": ("p.png", photo("red", "blue"), "image/png")}
    return client.post(path, params=query, files=body).raise_for_status()


def test_a_bird_in_a_corner_is_found(finding: httpx.Client) -> None:
    answer = send(finding).json()
    assert answer["predictions"][0]["class_id"] == "blue-winged-bird"
    assert answer["decision"]["accepted"]
    assert answer["box"] == pytest.approx(vars(PLACE), abs=0.03)


def test_the_central_square_on_request(finding: httpx.Client) -> None:
    answer = send(finding, find=False).json()
    assert "box" not in answer
    found = send(finding).json()
    assert answer["predictions"][0]["score"] < found["predictions"][0]["score"] - 0.3


def test_a_photo_explained_later_is_the_one_that_was_found(finding: httpx.Client) -> None:
    answer = send(finding).json()
    later = finding.get("/explain", params={"image_id": answer["image_id"]}).raise_for_status().json()
    at_once = send(finding, "/explain").json()
    assert later["class"]["score"] == pytest.approx(answer["predictions"][0]["score"])
    assert at_once["grounding"] == later["grounding"]
    other = send(finding, "/explain", find=False).json()
    assert other["grounding"] != later["grounding"]


def test_a_map_shows_what_was_found(finding: httpx.Client) -> None:
    drawn = Image.open(io.BytesIO(send(finding, "/explain/map", class_id="blue-winged-bird").content))
    assert drawn.size == (2 * PREPROCESSING.size,) * 2
    assert np.asarray(drawn).max(axis=2).min() > 20  # nothing of the black scene
    central = Image.open(io.BytesIO(send(finding, "/explain/map", class_id="red-bird", find=False).content))
    assert np.asarray(central).max(axis=2).min() <= 20


def test_labelled_photos_are_looked_at_as_others_are(finding: httpx.Client) -> None:
    """Copies of a photo count once; what is seen of it without the finder is another."""
    counts = [
        send(finding, "/calibration", class_id="blue-winged-bird", **query).json()["photos"]
        for query in ({}, {}, {"find": False})
    ]
    assert counts == [1, 1, 2]


def test_the_model_says_that_it_finds(finding: httpx.Client, client: httpx.Client) -> None:
    assert finding.get("/model").json()["finder"]["fitted_on"] == "nothing: made in code"
    assert client.get("/model").json()["finder"] is None


def test_without_a_finder_the_central_square_is_seen(client: httpx.Client) -> None:
    with_it = client.post("/classify", files={"image": picture_bytes("red")}).json()
    without = client.post("/classify", params={"find": False}, files={"image": picture_bytes("red")}).json()
    assert "box" not in with_it
    assert with_it["predictions"] == without["predictions"]


def test_the_client_asks_for_it_or_not(finding: httpx.Client) -> None:
    with DuetClient(str(finding.base_url)) as duet:
        found, central = duet.classify(photo("red", "blue")), duet.classify(photo("red", "blue"), find=False)
        assert found.box is not None
        assert central.box is None
        explained = [duet.explain(photo("red", "blue"), find=find).explained.score for find in (True, False)]
        assert explained[0] == pytest.approx(found.predictions[0].score)
        assert explained[0] > explained[1] + 0.3
        maps = [duet.heat_map(photo("red", "blue"), class_id="red-bird", find=find) for find in (True, False)]
        assert maps[0] != maps[1]


@pytest.mark.parametrize("path", ["/hf/zero-shot-image-classification", "/v2/models/tiny/infer"])
def test_other_clients_are_answered_of_what_was_found(finding: httpx.Client, path: str) -> None:
    data = base64.b64encode(photo("red", "blue")).decode()
    if path.startswith("/hf"):
        body: dict[str, Any] = {"inputs": data, "parameters": {"candidate_labels": ["red-bird", "blue-winged-bird"]}}
        best = finding.post(path, json=body).raise_for_status().json()[0]["label"]
    else:
        body = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [data]}]}
        outputs = finding.post(path, json=body).raise_for_status().json()["outputs"]
        scores = next(output for output in outputs if output["name"] == "score")["data"]
        assert scores[0] == pytest.approx(send(finding).json()["predictions"][0]["score"], abs=1e-5)
        best = next(output for output in outputs if output["name"] == "class_id")["data"][0]
    assert best.lower().replace(" ", "-") == "blue-winged-bird"
