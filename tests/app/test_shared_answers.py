"""Two replicas on one Redis: what one was told of a photo, the other can explain and calibrate with; for a while."""

from __future__ import annotations

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
def own_redis(tmp_path: Path) -> Iterator[RedisProcess]:
    """A Redis server of this test."""
    server = RedisProcess(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def replicas(tiny_bundle: Path, tmp_path: Path, own_redis: RedisProcess) -> Iterator[Callable[..., list[httpx.Client]]]:
    """Starts two services on the same Redis."""
    running: list[ServiceProcess] = []

    def begin(**settings: Any) -> list[httpx.Client]:
        for _ in range(2):
            running.append(ServiceProcess(tmp_path, bundle=tiny_bundle, store=own_redis.url, **settings))
            running[-1].start()
        return [service.client for service in running]

    yield begin
    for service in running:
        service.close()


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


def test_labelled_photos_are_shared_and_survive_redis(
    replicas: Callable[..., list[httpx.Client]], own_redis: RedisProcess
) -> None:
    one, two = replicas()
    for number in range(12):  # by turns, each added to the others'
        told = {"image_id": classify((one, two)[number % 2])["image_id"], "class_id": "red-bird"}
        body = {"photos": [told], "append": True}
        (two, one)[number % 2].post("/calibration", json=body).raise_for_status()
    states = [client.get("/calibration").json() for client in (one, two)]
    assert states[0] == states[1]
    assert (states[0]["photos"], states[0]["shared"]) == (12, True)
    for client in (one, two):
        assert classify(client, coverage=0.9)["coverage"]["guarantee"] == "valid"
    own_redis.kill()
    for client in (one, two):
        assert classify(client, coverage=0.9)["coverage"]["set"] == ["red-bird"]
    answer = one.delete("/calibration")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/store-unavailable")
