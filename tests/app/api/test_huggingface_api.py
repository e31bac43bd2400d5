"""The Hugging Face façade: huggingface_hub's own client against a service, and what the façade refuses."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from tests.service_process import ServiceProcess
from tests.tiny_bundle import ALL_BLUE, picture_bytes

PATH = "/hf/zero-shot-image-classification"
RED, BLUE = picture_bytes("red"), picture_bytes("blue")


@pytest.fixture
def hub(service: ServiceProcess, space: str) -> InferenceClient:
    """Hugging Face's client; it knows the address and nothing else of this service."""
    return InferenceClient(model=f"{service.url}{PATH}?space={space}", token="duet_unused")


def scores(hub: InferenceClient, photo: bytes, labels: list[str], **options: Any) -> dict[str, float]:
    return {e.label: e.score for e in hub.zero_shot_image_classification(photo, labels, **options)}


def test_classes_by_label_or_id_and_sentences(hub: InferenceClient, client: httpx.Client, space: str) -> None:
    blue = {"id": "blue-bird", "label": "The Blue One", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": space}, json=blue).raise_for_status()
    labels = ["a bird with a green crown and green wings", "the  blue one", "RED_BIRD"]
    for photo, best in ((picture_bytes("green"), labels[0]), (BLUE, labels[1]), (RED, labels[2])):
        found = scores(hub, photo, labels)
        assert next(iter(found)) == best
        assert sorted(found.values(), reverse=True) == list(found.values())
        assert sum(found.values()) == pytest.approx(1)
        assert found.keys() == set(labels)


def test_all_classes_as_labels_get_the_probabilities_of_classify(
    hub: InferenceClient, client: httpx.Client, space: str
) -> None:
    blue = {"id": "blue-bird", "label": "Blue Bird", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": space}, json=blue).raise_for_status()
    labels = [entry["label"] for entry in client.get("/classes", params={"space": space}).json()["classes"]]
    for photo in (RED, BLUE):
        query: dict[str, str | int] = {"space": space, "top_k": 50}
        answer = client.post("/classify", params=query, files={"image": photo}).json()
        expected = {found["label"]: found["probability"] for found in answer["predictions"]}
        assert scores(hub, photo, labels) == pytest.approx(expected)


def test_a_sentence_scores_as_the_class_it_would_be(hub: InferenceClient, client: httpx.Client, space: str) -> None:
    sentence = "a small bird with a blue crown and blue wings"
    new = {"id": "new-bird", "label": "New Bird", "prompt": sentence}
    client.post("/classes", params={"space": space}, json=new).raise_for_status()
    stored, told = (scores(hub, BLUE, [label, "red-bird"]) for label in ("new-bird", sentence))
    assert told[sentence] == pytest.approx(stored["new-bird"])
    assert client.get("/classes", params={"space": space, "seen": False}).json()["total"] == 1  # nothing more was kept


def test_the_template_is_for_sentences_only(hub: InferenceClient) -> None:
    labels = ["blue", "green", "red-bird"]
    found = scores(hub, BLUE, labels, hypothesis_template="a bird with a {} crown and {} wings")
    assert next(iter(found)) == "blue"
    written = scores(hub, BLUE, [f"a bird with a {c} crown and {c} wings" for c in ("blue", "green")] + ["red-bird"])
    assert list(found.values()) == pytest.approx(list(written.values()))


def test_its_client_shows_the_reason(hub: InferenceClient) -> None:
    with pytest.raises(HfHubHTTPError, match="no class of this class space") as refused:
        scores(hub, RED, ["red-bird", "of the"])
    assert refused.value.response.status_code == 422


def body(labels: Any = ("red-bird", "green-bird"), **changes: Any) -> dict[str, Any]:
    parameters = {"candidate_labels": list(labels)} | changes.pop("parameters", {})
    return {"inputs": base64.b64encode(RED).decode(), "parameters": parameters} | changes


REFUSED: dict[str, tuple[Any, int, str, str]] = {
    "one label": (body(["red-bird"]), 422, "invalid-request", "candidate_labels"),
    "no labels": ({"inputs": "aaaa", "parameters": {}}, 422, "invalid-request", "candidate_labels"),
    "too many labels": (body([f"red {n}" for n in range(257)]), 422, "invalid-request", "256"),
    "a label twice": (body(["red-bird", "red-bird"]), 422, "invalid-request", "more than once"),
    "two spellings": (body(["red bird", "Red  Bird"]), 422, "invalid-request", "are the same class, 'red-bird'"),
    "two names of a class": (body(["red-bird", "Red Bird"]), 422, "invalid-request", "are the same class, 'red-bird'"),
    "empty label": (body(["red-bird", ""]), 422, "invalid-request", "candidate_labels.1"),
    "number as label": (body(["red-bird", 3]), 422, "invalid-request", "candidate_labels.1"),
    "not understood": (body(["red-bird", "of the"]), 422, "unclear-prompt", "no attribute was understood"),
    "unknown key": (body(["red-bird", "wing color: mauve | size: small"]), 422, "unknown-attribute", "mauve"),
    "no place": (body(parameters={"hypothesis_template": "a bird"}), 422, "invalid-request", "there is no {}"),
    "unknown parameter": (body(parameters={"top": 1}), 422, "invalid-request", "parameters.top"),
    "no photo": ({"parameters": {"candidate_labels": ["a", "b"]}}, 422, "invalid-request", "inputs"),
    "empty photo": (body(inputs=""), 422, "no-image", "empty"),
    "no base64": (body(inputs="*" * 8), 422, "no-image", "not base64"),
    "a URL": (body(inputs="http://127.0.0.1/x.png"), 422, "no-image", "not fetched"),
    "no photo format": (body(inputs="R0lGODlh"), 415, "unsupported-media-type", "not a JPEG"),
    "a list": ([], 422, "invalid-json", "object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(client: httpx.Client, space: str, name: str) -> None:
    sent, status, slug, told = REFUSED[name]
    answer = client.post(PATH, params={"space": space}, json=sent)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"/problems/{slug}")
    assert told in problem["detail"]
    assert problem["error"] == problem["detail"]


def test_a_label_of_two_classes(client: httpx.Client, space: str) -> None:
    for name in ("one", "two"):
        new = {"id": name, "label": "Same", "attributes": ALL_BLUE}
        client.post("/classes", params={"space": space}, json=new).raise_for_status()
    problem = client.post(PATH, params={"space": space}, json=body(["same", "red-bird"])).json()
    assert (problem["type"], problem["allowed"]) == ("/problems/invalid-request", ["one", "two"])
    new = {"id": "third", "label": "Only One", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": space}, json=new).raise_for_status()
    problem = client.post(PATH, params={"space": space}, json=body(["only one", "Only-One"])).json()
    assert "are the same class, 'third'" in problem["detail"]
    answer = client.post(PATH, params={"space": space}, json=body(["one", "two"])).raise_for_status().json()
    assert [entry["score"] for entry in answer] == pytest.approx([0.5, 0.5])


def test_a_data_url_is_read(client: httpx.Client, space: str) -> None:
    plain = client.post(PATH, params={"space": space}, json=body()).json()
    sent = body(inputs="data:image/png;base64," + base64.b64encode(RED).decode())
    assert client.post(PATH, params={"space": space}, json=sent).json() == plain


def test_bodies_beyond_the_limit(client: httpx.Client) -> None:
    def letters(count: int) -> Iterator[bytes]:
        yield from (b"a" * 2**16 for _ in range(math.ceil(count / 2**16)))

    headers = {"Content-Type": "application/json"}
    answer = client.post(PATH, content=letters(11 * 2**20), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/body-too-large")
