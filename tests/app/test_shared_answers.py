"""Two processes on one store: what one was told of a photo, the other can explain and calibrate with; for a while."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.redis_process import RedisProcess
from tests.service_process import ServiceProcess
from tests.tiny_bundle import picture_bytes

pytestmark = pytest.mark.slow


@pytest.fixture
def running() -> Iterator[list[ServiceProcess]]:
    """The services of a test, stopped after it."""
    services: list[ServiceProcess] = []
    yield services
    for service in services:
        service.close()


@pytest.fixture
def replicas(
    tiny_bundle: Path, tmp_path: Path, store: str, running: list[ServiceProcess]
) -> Callable[..., list[httpx.Client]]:
    """Starts two services on the same store."""

    def begin(**settings: Any) -> list[httpx.Client]:
        for _ in range(2):
            running.append(ServiceProcess(tmp_path, bundle=tiny_bundle, store=store, **settings))
            running[-1].start()
        return [service.client for service in running[-2:]]

    return begin


def classify(client: httpx.Client, colour: str = "red", **query: Any) -> dict[str, Any]:
    answer = client.post("/classify", params=query, files={"image": picture_bytes(colour)}).raise_for_status()
    result: dict[str, Any] = answer.json()
    return result


def test_both_replicas_give_the_same_explanation(replicas: Callable[..., list[httpx.Client]]) -> None:
    one, two = replicas()
    query = {"image_id": classify(one)["image_id"], "versus": "green-bird", "edits": True}
    first, second = (client.get("/explain", params=query).raise_for_status().json() for client in (one, two))
    assert first == second


def test_a_state_is_forgotten_by_both(replicas: Callable[..., list[httpx.Client]]) -> None:
    one, two = replicas(image_ttl_seconds=2)
    query = {"image_id": classify(one)["image_id"]}
    assert two.get("/explain", params=query).status_code == 200
    time.sleep(2.2)
    for client in (one, two):
        answer = client.get("/explain", params=query)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/image-not-found")


def calibrate(one: httpx.Client, two: httpx.Client) -> None:
    """Twelve labelled photos given by turns, each added to the other's, and found valid by both."""
    for number in range(12):
        image = classify((one, two)[number % 2], f"#{255 - 3 * number:02x}0000")  # no two alike
        told = {"image_id": image["image_id"], "class_id": "red-bird"}
        body = {"photos": [told], "append": True}
        (two, one)[number % 2].post("/calibration", json=body).raise_for_status()
    states = [client.get("/calibration").json() for client in (one, two)]
    assert states[0] == states[1]
    assert (states[0]["photos"], states[0]["shared"]) == (12, True)
    for client in (one, two):
        assert classify(client, coverage=0.9)["coverage"]["guarantee"] == "valid"


@pytest.mark.parametrize("store", ["redis"], indirect=True)
def test_labelled_photos_are_shared_and_survive_redis(
    replicas: Callable[..., list[httpx.Client]], own_redis: RedisProcess
) -> None:
    one, two = replicas()
    calibrate(one, two)
    own_redis.kill()
    for client in (one, two):
        assert classify(client, coverage=0.9)["coverage"]["set"] == ["red-bird"]
    answer = one.delete("/calibration")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/store-unavailable")


def test_labelled_photos_and_states_survive_both_processes(
    replicas: Callable[..., list[httpx.Client]], running: list[ServiceProcess]
) -> None:
    one, two = replicas()
    calibrate(one, two)
    query = {"image_id": classify(one)["image_id"]}
    explained, state = one.get("/explain", params=query).json(), one.get("/calibration").json()
    for service in running:
        service.signal(signal.SIGKILL)
        service.wait()
    for client in replicas():
        assert client.get("/explain", params=query).json() == explained
        assert client.get("/calibration").json() == state
        assert classify(client, coverage=0.9)["coverage"]["guarantee"] == "valid"


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
@pytest.mark.parametrize("harm", ["locked", "broken"])
def test_a_photo_file_that_cannot_be_used_stops_no_photo(
    replicas: Callable[..., list[httpx.Client]], tmp_path: Path, harm: str
) -> None:
    file = tmp_path / "classes.photos.sqlite"
    lock = None
    if harm == "locked":
        lock = sqlite3.connect(file, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
    else:
        file.write_bytes(b"no database" * 1000)
    one, two = replicas()
    query = {"image_id": classify(one)["image_id"]}
    assert one.get("/explain", params=query).status_code == 200
    assert two.get("/explain", params=query).status_code == 404
    told = {"photos": [query | {"class_id": "red-bird"}]}
    answer = one.post("/calibration", json=told)
    expected = "/problems/store-unavailable"
    assert (answer.status_code, answer.json()["type"]) == (503, expected)
    assert "duet_image_state_errors_total 0.0" not in one.get("/metrics").text
    if lock is not None:
        lock.close()
        assert two.get("/explain", params={"image_id": classify(one)["image_id"]}).status_code == 200
