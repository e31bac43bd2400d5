"""Another bundle while photos are classified: nothing fails, no answer mixes models, a bad bundle changes nothing."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.app.swap_load import answers_of, constant_load
from tests.service_process import ServiceProcess
from tests.tiny_bundle import picture_bytes, write_manifest, write_tiny_bundle

pytestmark = pytest.mark.slow

SWAPS = 12


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    """A folder with two bundles that answer differently, number by number, and a link to one of them."""
    folder = tmp_path / "bundles"
    write_tiny_bundle(folder / "one", model_id="one", gamma=0.1)
    write_tiny_bundle(folder / "two", model_id="two", bias=0.3, gamma=0.2)
    (folder / "current").symlink_to("one")
    return folder


@pytest.fixture
def service(bundles: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service on `current`, which is `one`."""
    running = ServiceProcess(tmp_path, bundle=bundles / "current", store=f"sqlite:///{tmp_path}/classes.sqlite")
    yield running.start()
    running.close()


def swap(client: httpx.Client, name: str) -> httpx.Response:
    """Ask for a bundle, again while an earlier model still finishes requests."""
    while True:
        answer = client.post("/admin/model", json={"bundle": name})
        if answer.status_code != 409:
            return answer
        time.sleep(0.05)


def served(client: httpx.Client) -> str:
    return str(client.get("/model").raise_for_status().json()["id"])


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.05)


def test_no_request_fails_and_no_answer_mixes_two_models(service: ServiceProcess) -> None:
    client, known = service.client, {}
    for name in ("two", "one"):
        assert swap(client, name).status_code == 200
        known[name] = answers_of(client)
    assert known["one"]["red"]["predictions"][0]["score"] != known["two"]["red"]["predictions"][0]["score"]
    with constant_load(service.url) as load:
        for turn in range(SWAPS):
            name = ("two", "one")[turn % 2]
            answer = swap(client, name).raise_for_status().json()
            assert (answer["now"]["id"], answer["before"]["id"]) == (name, ("one", "two")[turn % 2])
            assert served(client) == name
            so_far = load.models()[name]
            eventually(lambda name=name, so_far=so_far: load.models()[name] > so_far)  # type: ignore[misc]
    assert load.failures == []
    assert load.strange(known) == []
    assert min(load.models()["one"], load.models()["two"]) > SWAPS
    assert client.get("/metrics").text.count('duet_model_swaps_total{outcome="served"} 14.0') == 1
    assert "Traceback" not in service.log


def spoil(bundle: Path, harm: str) -> str:
    """Make the bundle bad; returns what the refusal must say."""
    if harm == "no manifest":
        (bundle / "manifest.json").unlink()
        return "manifest.json: no such file"
    if harm == "missing file":
        (bundle / "text.onnx").unlink()
        return "text.onnx: no such file"
    if harm == "wrong checksum":
        data = bytearray((bundle / "vision.onnx").read_bytes())
        data[-1] ^= 1
        (bundle / "vision.onnx").write_bytes(data)
        return "vision.onnx: sha256"
    if harm == "no model":
        (bundle / "vision.onnx").write_bytes(b"nothing that runs")
        write_manifest(bundle)
        return "vision.onnx"
    with np.load(bundle / "golden.npz") as golden:
        np.savez(bundle / "golden.npz", **(dict(golden) | {"v": golden["v"] + 1}))
    write_manifest(bundle)
    return "on golden.png v is off by 1"


def test_a_bad_bundle_is_refused_with_the_reason_and_the_old_goes_on(bundles: Path, service: ServiceProcess) -> None:
    for harm in ("no manifest", "missing file", "wrong checksum", "no model", "wrong golden"):
        reason = spoil(write_tiny_bundle(bundles / "bad"), harm)
        refused(service, bundles, reason)
        shutil.rmtree(bundles / "bad")
    assert swap(service.client, "two").status_code == 200
    assert service.client.get("/model").json()["last_swap"]["served"] is True


def refused(service: ServiceProcess, bundles: Path, reason: str) -> None:
    with constant_load(service.url, clients=2) as load:
        answer = swap(service.client, "bad")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/bundle-refused")
    assert reason in answer.json()["detail"]
    assert str(bundles) not in answer.text  # where bundles lie is nobody's business
    attempt = service.client.get("/model").json()["last_swap"]
    assert (attempt["bundle"], attempt["served"], attempt["asked_by"]) == ("bad", False, "api")
    assert reason in attempt["reason"]
    assert load.failures == []
    assert set(load.models()) == {"one"}


def test_sighup_opens_what_lies_in_duet_bundle_now(bundles: Path, service: ServiceProcess) -> None:
    def point(name: str) -> None:
        (bundles / "next").symlink_to(name)
        (bundles / "next").replace(bundles / "current")

    client = service.client
    with constant_load(service.url, clients=2) as load:
        point("two")
        assert served(client) == "one"
        service.signal(signal.SIGHUP)
        eventually(lambda: served(client) == "two")
        spoil(write_tiny_bundle(bundles / "bad"), "wrong golden")
        point("bad")
        service.signal(signal.SIGHUP)
        eventually(lambda: not client.get("/model").json()["last_swap"]["served"])
        attempt = client.get("/model").json()["last_swap"]
        assert (attempt["bundle"], attempt["asked_by"]) == ("current", "signal")
        assert "golden.png" in attempt["reason"]
        assert served(client) == "two"
        shutil.rmtree(bundles / "bad")
        write_tiny_bundle(bundles / "bad", model_id="mended")  # the same folder, changed in place
        for _ in range(5):
            service.signal(signal.SIGHUP)
        eventually(lambda: served(client) == "mended")
    assert load.failures == []
    assert {"one", "two"} <= set(load.models())
    service.stop()  # SIGTERM still ends it


def test_no_name_leads_out_of_the_folder(bundles: Path, service: ServiceProcess) -> None:
    outside = write_tiny_bundle(bundles.parent / "outside", model_id="outside")
    (bundles / "out").symlink_to(outside)
    (bundles / "here").symlink_to(".")
    names = ("..", ".", "../outside", "/etc", str(outside), "one/../two", "one\\two", "%2e%2e", "", "one\n", "a\0b")
    for name in (*names, "a" * 300, "out", "here", "none"):
        answer = service.client.post("/admin/model", json={"bundle": name})
        assert answer.status_code in (404, 422), answer.text
        assert answer.json()["type"] in ("/problems/bundle-not-found", "/problems/invalid-request"), answer.text
        assert str(bundles) not in answer.text.replace(str(outside), "")
    assert answer.json()["allowed"] == ["current", "one", "two"]
    misnamed = service.client.post("/admin/model", json={"bundle": "../outside"}).json()
    assert misnamed["example"] == service.client.post("/admin/model").json()["example"] == {"bundle": "birds"}
    assert "the first a letter or digit" in misnamed["detail"]
    assert served(service.client) == "one"
    assert swap(service.client, "current").status_code == 200  # a link that stays inside


def test_a_photo_of_the_model_before_is_not_explained_by_this_one(service: ServiceProcess) -> None:
    client = service.client
    image = {"image": picture_bytes("red")}
    image_id = client.post("/classify", files=image).json()["image_id"]
    assert client.get("/explain", params={"image_id": image_id}).json()["model"]["id"] == "one"
    assert swap(client, "two").status_code == 200
    for answer in (
        client.get("/explain", params={"image_id": image_id}),
        client.post("/calibration", json={"photos": [{"image_id": image_id, "class_id": "red-bird"}]}),
    ):
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/image-of-other-model")
        assert (answer.json()["got"][:4], answer.json()["allowed"][:4]) == ("one@", "two@")
    assert client.post("/explain", files=image).json()["model"]["id"] == "two"
    assert swap(client, "one").status_code == 200
    assert client.get("/explain", params={"image_id": image_id}).json()["model"]["id"] == "one"  # it still knows it


def test_one_swap_at_a_time(service: ServiceProcess) -> None:
    with httpx.Client(base_url=service.url, timeout=60) as other:
        statuses = set[int]()
        with constant_load(service.url, clients=2):  # so that opening takes a while
            with ThreadPoolExecutor(4) as pool:
                asked = [pool.submit(other.post, "/admin/model", json={"bundle": "two"}) for _ in range(8)]
            for answer in (one.result() for one in asked):
                statuses.add(answer.status_code)
                if answer.status_code == 409:
                    assert json.loads(answer.text)["type"] == "/problems/swap-under-way"
                    assert int(answer.headers["Retry-After"]) >= 1
        assert statuses == {200, 409}
    assert served(service.client) == "two"
