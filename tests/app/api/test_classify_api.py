"""POST /classify over HTTP: the answer's parts, the two ways to send a photo, and every photo that is refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.tiny_bundle import ALL_BLUE, CALIBRATION, SEEN, picture_bytes

PREDICTION = {"class_id", "label", "seen", "score", "calibrated_score", "probability"}


def send(client: httpx.Client, photo: bytes, kind: str = "image/png", **query: Any) -> httpx.Response:
    return client.post("/classify", content=photo, headers={"Content-Type": kind}, params=query)


def register_blue(client: httpx.Client, space: str) -> None:
    body = {"id": "blue-bird", "label": "Blue Bird", "attributes": ALL_BLUE}
    client.post("/classes", params={"space": space}, json=body).raise_for_status()


def test_the_answer_has_exactly_the_promised_parts(client: httpx.Client, space: str) -> None:
    answer = send(client, picture_bytes("red"), space=space).raise_for_status().json()
    assert set(answer) == {"image_id", "predictions", "decision", "model", "revision"}
    assert all(set(prediction) == PREDICTION for prediction in answer["predictions"])
    assert set(answer["decision"]) == {"accepted", "reason", "score", "threshold"}
    assert answer["model"] == {"id": "tiny", "gamma": CALIBRATION["gamma"], "temperature": CALIBRATION["temperature"]}
    assert answer["revision"] == 0
    best = answer["predictions"][0]
    assert (best["class_id"], best["label"], best["seen"]) == ("red-bird", "Red Bird", True)
    assert best["calibrated_score"] == pytest.approx(best["score"] - CALIBRATION["gamma"])
    assert answer["decision"]["accepted"] is True


def test_multipart_and_raw_bytes_agree(client: httpx.Client, space: str) -> None:
    photo = picture_bytes("red", "green")
    raw = send(client, photo, space=space).json()
    form = client.post("/classify", params={"space": space}, files={"image": ("p.png", photo, "image/png")}).json()
    assert raw["predictions"] == form["predictions"]
    assert raw["image_id"] != form["image_id"]
    assert len(raw["image_id"]) >= 22


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("side", [1, 48, 900])
def test_formats_and_sizes(client: httpx.Client, kind: str, side: int) -> None:
    answer = send(client, picture_bytes("green", side=side, kind=kind), f"image/{kind.lower()}")
    assert answer.status_code == 200
    if side > 1:
        assert answer.json()["predictions"][0]["class_id"] == "green-bird"


def test_a_registered_class_wins_at_once(client: httpx.Client, space: str) -> None:
    blue = picture_bytes("blue")
    before = send(client, blue, space=space).json()
    assert before["decision"]["accepted"] is False
    register_blue(client, space)
    after = send(client, blue, space=space).json()
    assert (after["predictions"][0]["class_id"], after["predictions"][0]["seen"]) == ("blue-bird", False)
    assert (after["decision"]["accepted"], after["revision"]) == (True, 1)
    assert send(client, blue, space=space + "-b").json()["predictions"] == before["predictions"]


def test_top_k_and_candidates(client: httpx.Client, space: str) -> None:
    register_blue(client, space)
    blue = picture_bytes("blue")
    assert len(send(client, blue, space=space).json()["predictions"]) == 5
    assert len(send(client, blue, space=space, top_k=1).json()["predictions"]) == 1
    assert len(send(client, blue, space=space, top_k=50).json()["predictions"]) == len(SEEN) + 1
    unseen = send(client, blue, space=space, candidates="unseen").json()["predictions"]
    assert [prediction["class_id"] for prediction in unseen] == ["blue-bird"]
    seen = send(client, blue, space=space, candidates="seen").json()["predictions"]
    assert {prediction["class_id"] for prediction in seen} == set(SEEN)
    assert seen[0]["calibrated_score"] == seen[0]["score"]  # gamma is for all classes competing
    assert sum(prediction["probability"] for prediction in seen) == pytest.approx(1)


@pytest.mark.parametrize(
    "query", [{"top_k": 0}, {"top_k": 51}, {"top_k": "many"}, {"candidates": "none"}, {"space": "No Space"}]
)
def test_parameters_out_of_range(client: httpx.Client, query: dict[str, Any]) -> None:
    answer = send(client, picture_bytes("red"), **query)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert problem["type"] == "/problems/invalid-parameter"
    assert problem["errors"][0]["where"] == f"query.{next(iter(query))}"
    assert problem["errors"][0]["got"] == str(next(iter(query.values())))


def test_unseen_candidates_where_none_is_registered(client: httpx.Client, space: str) -> None:
    answer = send(client, picture_bytes("red"), candidates="unseen", space=space)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/no-unseen-classes")


def _encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def _animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    return _encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)


REFUSED: dict[str, tuple[int, str, bytes]] = {
    "text": (415, "unsupported-media-type", b"not a photo at all"),
    "gif": (415, "unsupported-media-type", _encoded(Image.new("P", (8, 8)), "GIF")),
    "tiff": (415, "unsupported-media-type", _encoded(Image.new("RGB", (8, 8)), "TIFF")),
    "animated webp": (415, "unsupported-media-type", _animated("WEBP")),
    "animated png": (415, "unsupported-media-type", _animated("PNG")),
    "empty": (422, "no-image", b""),
    "cut png": (422, "broken-image", picture_bytes("red", side=300)[:-60]),
    "cut jpeg": (422, "broken-image", picture_bytes("red", side=300, kind="JPEG")[:-900]),
    "header only": (422, "broken-image", b"\x89PNG\r\n\x1a\n"),
    "too many pixels": (413, "image-too-large", _encoded(Image.new("1", (6000, 5000)))),
    "side too long": (413, "image-too-large", _encoded(Image.new("1", (10_001, 300)))),
    "bomb": (413, "image-too-large", _encoded(Image.new("1", (20_000, 20_000)))),
    "strip": (422, "broken-image", _encoded(Image.new("RGB", (510, 10)))),
    "floating point": (415, "unsupported-media-type", _encoded(Image.new("F", (8, 8)), "TIFF")),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("form", [True, False], ids=["multipart", "raw"])
def test_photos_that_are_refused(client: httpx.Client, name: str, form: bool) -> None:
    status, slug, photo = REFUSED[name]
    answer = client.post("/classify", files={"image": photo}) if form else send(client, photo)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"/problems/{slug}")
    assert problem["status"] == status
    assert {"title", "detail", "instance", "advice"} <= set(problem)


def test_a_form_without_the_field_says_what_it_has(client: httpx.Client) -> None:
    problem = client.post("/classify", files={"photo": picture_bytes("red")}).json()
    assert (problem["type"], problem["got"], problem["allowed"]) == ("/problems/no-image", ["photo"], ["image"])
    problem = client.post("/classify", data={"image": "text"}, files={"x": b"1"}).json()
    assert problem["type"] == "/problems/no-image"


@pytest.mark.parametrize("kind", ["text/plain", "image/gif", "application/xml", ""])
def test_other_content_types(client: httpx.Client, kind: str) -> None:
    answer = client.post("/classify", content=picture_bytes("red"), headers={"Content-Type": kind} if kind else {})
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")


@pytest.mark.parametrize("kind", ["image/jpg", "image/x-png", "Image/JPEG"])
def test_names_that_clients_give_to_photos(client: httpx.Client, kind: str) -> None:
    answer = client.post("/classify", content=picture_bytes("red"), headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text


def test_a_malformed_form(client: httpx.Client) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    answer = client.post("/classify", content=b"no boundary", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request")


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("form", [True, False], ids=["multipart", "raw"])
def test_a_body_over_the_limit(client: httpx.Client, chunked: bool, form: bool) -> None:
    body = b"\0" * (11 * 2**20)
    headers = {"Content-Type": "image/png"}
    if form:
        head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="p.png"\r\n\r\n'
        body, headers = head + body + b"\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    try:
        answer = client.post("/classify", content=pieces() if chunked else body, headers=headers)
    except httpx.WriteError:
        return  # the connection was closed before all was sent, which is an answer too
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/body-too-large")


def test_a_photo_just_over_the_limit_is_told_so(client: httpx.Client) -> None:
    """Within what multipart may add, so that the whole body is read and the answer always arrives."""
    for answer in (
        send(client, b"\0" * (10 * 2**20 + 1)),
        client.post("/classify", files={"image": b"\0" * (10 * 2**20 + 1)}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/body-too-large")
        assert "10485760" in answer.json()["detail"]


def test_a_refused_photo_leaves_no_place_taken(client: httpx.Client) -> None:
    for _ in range(70):  # more than DUET_QUEUE_IMAGES
        send(client, b"no photo")
    assert send(client, picture_bytes("red")).status_code == 200
