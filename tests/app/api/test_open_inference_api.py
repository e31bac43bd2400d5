"""The Open Inference Protocol: Triton's own client against a service, JSON and binary, and what is refused."""

from __future__ import annotations

import base64
import json
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from app.api.inference_outputs import OUTPUTS
from tests.service_process import ServiceProcess
from tests.tiny_bundle import ALL_BLUE, SCHEMA, SEEN, picture_bytes

MODEL = "tiny"
PATH = f"/v2/models/{MODEL}/infer"
RED, BLUE = picture_bytes("red"), picture_bytes("blue")


@pytest.fixture
def oip(service: ServiceProcess) -> Iterator[Any]:
    """Triton's client."""
    client = triton.InferenceServerClient(service.url.removeprefix("http://"), concurrency=4)
    yield client
    client.close()


def image(photos: list[bytes], *, binary: bool = True) -> Any:
    tensor = triton.InferInput("image", [len(photos)], "BYTES")
    elements = photos if binary else [base64.b64encode(photo) for photo in photos]
    tensor.set_data_from_numpy(np.array(elements, dtype=np.object_), binary_data=binary)
    return tensor


def test_health_and_metadata(oip: Any) -> None:
    assert oip.is_server_live()
    assert oip.is_server_ready()
    assert oip.is_model_ready(MODEL)
    assert not oip.is_model_ready("other")
    server = oip.get_server_metadata()
    assert (server["name"], server["extensions"]) == ("duet-serving", ["binary_tensor_data"])
    model = oip.get_model_metadata(MODEL)
    assert (model["name"], model["inputs"]) == (MODEL, [{"name": "image", "datatype": "BYTES", "shape": [-1]}])
    shapes = {tensor["name"]: tensor["shape"] for tensor in model["outputs"]}
    assert (shapes["class_id"], shapes["accepted"], shapes["attributes"]) == ([-1, -1], [-1], [-1, len(SCHEMA)])


@pytest.mark.parametrize("sent_raw", [True, False])
@pytest.mark.parametrize("asked_raw", [True, False])
def test_photos_one_way_or_the_other_get_what_classify_says(
    oip: Any, client: httpx.Client, space: str, sent_raw: bool, asked_raw: bool
) -> None:
    blue = {"id": "blue-bird", "label": "Blauer Würger", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": space}, json=blue).raise_for_status()
    photos = [BLUE, RED, picture_bytes("green")]
    outputs = [triton.InferRequestedOutput(name, binary_data=asked_raw) for name in OUTPUTS]
    sent = [image(photos, binary=sent_raw)]
    result = oip.infer(
        MODEL, sent, request_id="7", outputs=outputs, parameters={"space": space, "top_k": 3}, timeout=9_000_000
    )
    found = {name: result.as_numpy(name) for name in OUTPUTS}
    answers = [
        client.post("/classify", params={"space": space, "top_k": 3}, files={"image": photo}).json() for photo in photos
    ]
    for name in ("score", "calibrated_score", "probability", "seen"):
        expected = [[prediction[name] for prediction in answer["predictions"]] for answer in answers]
        np.testing.assert_allclose(found[name], expected, rtol=1e-5)
    for name in ("class_id", "label"):
        texts = [[text.decode() if isinstance(text, bytes) else text for text in row] for row in found[name]]
        assert texts == [[prediction[name] for prediction in answer["predictions"]] for answer in answers]
    assert found["accepted"].tolist() == [answer["decision"]["accepted"] for answer in answers]
    assert found["attributes"].shape == (3, len(SCHEMA))
    response = result.get_response()
    assert (response["model_name"], response["id"], response["parameters"]) == (MODEL, "7", {"revision": 1})
    kept = found["image_id"][0].decode() if isinstance(found["image_id"][0], bytes) else found["image_id"][0]
    explained = client.get("/explain", params={"image_id": kept, "space": space}).raise_for_status().json()
    assert explained["class"]["class_id"] == "blue-bird"


def test_without_a_list_every_output_comes(oip: Any) -> None:
    result = oip.infer(MODEL, [image([RED])])
    assert result.as_numpy("class_id")[0, 0] == b"red-bird"
    assert [output["name"] for output in result.get_response()["outputs"]] == list(OUTPUTS)
    assert result.as_numpy("probability").shape == (1, len(SEEN))


def test_only_what_is_asked_for_comes(oip: Any) -> None:
    outputs = [triton.InferRequestedOutput("accepted"), triton.InferRequestedOutput("label", binary_data=False)]
    result = oip.infer(MODEL, [image([RED, BLUE])], outputs=outputs)
    assert [output["name"] for output in result.get_response()["outputs"]] == ["accepted", "label"]
    assert result.as_numpy("accepted").tolist() == [True, False]


def test_its_client_shows_the_reason(oip: Any) -> None:
    with pytest.raises(InferenceServerException, match="not a JPEG, PNG or WebP") as refused:
        oip.infer(MODEL, [image([RED, b"GIF89a"])])
    assert refused.value.status() == "415"
    with pytest.raises(InferenceServerException, match="no model 'other'; 'tiny' is served"):
        oip.infer("other", [image([RED])])


def test_extensions_we_do_not_have_are_refused_by_name(oip: Any) -> None:
    with pytest.raises(InferenceServerException, match=r"Output 'score': the parameters \['classification'\]"):
        oip.infer(MODEL, [image([RED])], outputs=[triton.InferRequestedOutput("score", class_count=3)])
    shared = triton.InferInput("image", [1], "BYTES")
    shared.set_shared_memory("region", 64)
    with pytest.raises(InferenceServerException, match="shared_memory_region"):
        oip.infer(MODEL, [shared])
    with pytest.raises(InferenceServerException, match="Compressed bodies are not read"):
        oip.infer(MODEL, [image([RED])], request_compression_algorithm="gzip")


def tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(RED).decode()]} | changes


REFUSED: dict[str, tuple[Any, str, str]] = {
    "no inputs": ({}, "invalid-request", "inputs"),
    "empty inputs": ({"inputs": []}, "invalid-request", "the model has one"),
    "another input": ({"inputs": [tensor(name="pixels")]}, "invalid-request", "pixels"),
    "the input twice": ({"inputs": [tensor(), tensor()]}, "invalid-request", "the model has one"),
    "another datatype": ({"inputs": [tensor(datatype="FP32")]}, "invalid-request", "'FP32'"),
    "no shape": ({"inputs": [tensor(shape=[])]}, "invalid-request", "shape []"),
    "negative shape": ({"inputs": [tensor(shape=[-1, -1])]}, "invalid-request", "shape [-1, -1]"),
    "another count": ({"inputs": [tensor(shape=[2])]}, "invalid-request", "got 1 elements; allowed is 2"),
    "no photos": ({"inputs": [tensor(shape=[0], data=[])]}, "invalid-request", "0 photos"),
    "too many": ({"inputs": [tensor(shape=[17], data=["aaaa"] * 17)]}, "invalid-request", "17 photos; 1 to 16"),
    "no data": ({"inputs": [tensor(data=None)]}, "invalid-request", "neither data nor binary"),
    "numbers": ({"inputs": [tensor(data=[1])]}, "invalid-request", "int in data"),
    "no base64": ({"inputs": [tensor(data=["*"])]}, "no-image", "not base64"),
    "raw that is not there": (
        {"inputs": [tensor(data=None, parameters={"binary_data_size": 9})]},
        "invalid-request",
        "allowed is 0, the bytes",
    ),
    "unknown output": ({"inputs": [tensor()], "outputs": [{"name": "mood"}]}, "invalid-request", "mood"),
    "an output twice": ({"inputs": [tensor()], "outputs": [{"name": "label"}] * 2}, "invalid-request", "twice"),
    "unknown parameter": ({"inputs": [tensor()], "parameters": {"k": 1}}, "invalid-request", "k: Extra"),
    "text as number": ({"inputs": [tensor()], "parameters": {"top_k": "1"}}, "invalid-request", "top_k"),
    "no unseen class": (
        {"inputs": [tensor()], "parameters": {"candidates": "unseen", "space": "nobody-home"}},
        "no-unseen-classes",
        "nobody-home",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(client: httpx.Client, name: str) -> None:
    sent, slug, told = REFUSED[name]
    answer = client.post(PATH, json=sent)
    problem = answer.json()
    assert problem["type"] == f"/problems/{slug}"
    assert answer.is_client_error
    assert told in problem["detail"]
    assert problem["error"] == problem["detail"]


def raw_request(elements: bytes, *, size: int | None = None, length: str | None = None) -> dict[str, Any]:
    parameters = {"binary_data_size": len(elements) if size is None else size}
    head = json.dumps({"inputs": [tensor(data=None, parameters=parameters)]}).encode()
    return {
        "content": head + elements,
        "headers": {"Inference-Header-Content-Length": str(len(head)) if length is None else length},
    }


def element(photo: bytes) -> bytes:
    return struct.pack("<I", len(photo)) + photo


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (raw_request(element(RED), length="-1"), "no length within"),
        (raw_request(element(RED), length="99999999"), "no length within"),
        (raw_request(element(RED), length="many"), "no length within"),
        (raw_request(element(RED), size=7), "binary_data_size 7"),
        (raw_request(element(RED)[:-1]), "ends behind"),
        (raw_request(b"\1\0"), "ends behind"),
        (raw_request(element(RED) + b"\0"), "ends behind"),
        (raw_request(element(RED) * 2), "2 elements"),
        (raw_request(b""), "0 elements"),
    ],
)
def test_binary_requests_that_do_not_add_up(client: httpx.Client, sent: dict[str, Any], told: str) -> None:
    answer = client.post(PATH, **sent)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    assert told in answer.json()["detail"]
    assert client.post(PATH, **raw_request(element(RED))).status_code == 200


def test_every_photo_of_a_request_takes_a_place(tiny_bundle: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/classes.sqlite"
    service = ServiceProcess(tmp_path, bundle=tiny_bundle, store=store, queue_images=2, max_batch=2).start()
    hold = threading.Event()

    def slow_upload() -> Iterator[bytes]:
        yield RED[:10]
        hold.wait(20)
        yield RED[10:]

    def in_flight(count: int) -> None:
        deadline = time.monotonic() + 20
        while f"duet_images_in_flight {count}.0" not in service.client.get("/metrics").text:
            assert time.monotonic() < deadline, f"never {count} photos in the service"
            time.sleep(0.02)

    two = {"inputs": [tensor(shape=[2], data=[base64.b64encode(photo).decode() for photo in (RED, BLUE)])]}
    try:
        with ThreadPoolExecutor(1) as pool:
            headers = {"Content-Type": "image/png"}
            upload = pool.submit(
                lambda: httpx.post(f"{service.url}/classify", content=slow_upload(), headers=headers, timeout=60)
            )
            in_flight(1)
            answer = service.client.post(PATH, json=two)
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/overloaded")
            assert int(answer.headers["retry-after"]) >= 1
            in_flight(1)  # those taken for the refused request are free again
            hold.set()
            assert upload.result().status_code == 200
        assert service.client.post(PATH, json=two).status_code == 200
        in_flight(0)
    finally:
        hold.set()
        service.close()
