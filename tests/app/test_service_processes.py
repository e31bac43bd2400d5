"""The service as processes: restarts, two replicas, a store that dies, overload, and how it starts and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.redis_process import RedisProcess, free_port
from tests.service_process import ROOT, ServiceProcess
from tests.tiny_bundle import ALL_BLUE, picture_bytes

pytestmark = pytest.mark.slow

BLUE = {"id": "blue-bird", "label": "Blue Bird", "attributes": ALL_BLUE}
Start = Callable[..., ServiceProcess]


@pytest.fixture
def start(tiny_bundle: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts services that are stopped after the test."""
    running: list[ServiceProcess] = []

    def begin(store: str, *, wait: str = "/readyz", **settings: Any) -> ServiceProcess:
        chosen = {"bundle": tiny_bundle, "store": store, "poll_seconds": 0.1} | settings
        running.append(ServiceProcess(tmp_path, **chosen))
        return running[-1].start(wait=wait)

    yield begin
    for service in running:
        service.close()


def best(service: ServiceProcess, colour: str = "blue", **query: Any) -> str:
    answer = service.client.post("/classify", params=query, files={"image": picture_bytes(colour)})
    return str(answer.raise_for_status().json()["predictions"][0]["class_id"])


def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.05)


def test_the_gamma_of_a_space_reaches_every_replica_and_outlives_them(start: Start, store: str) -> None:
    def gamma_at(service: ServiceProcess, **query: Any) -> float:
        answer = service.client.post("/classify", params=query, files={"image": picture_bytes("blue")})
        return float(answer.raise_for_status().json()["model"]["gamma"])

    one, two = start(store), start(store)
    told = one.client.patch("/spaces/default", json={"gamma": 2.5}).raise_for_status().json()
    assert gamma_at(two, min_revision=told["revision"]) == 2.5
    two.client.patch("/spaces/default", json={"gamma": -1}).raise_for_status()
    eventually(lambda: gamma_at(one) == -1)
    for service in (one, two):
        service.signal(signal.SIGKILL)
        service.wait()
    assert gamma_at(start(store)) == -1


def test_a_restart_keeps_every_class(start: Start, store: str) -> None:
    first = start(store)
    first.client.post("/classes", json=BLUE).raise_for_status()
    first.signal(signal.SIGKILL)
    first.wait()
    second = start(store)
    assert best(second) == "blue-bird"
    assert second.client.get("/readyz").json()["revision"] == 1


def test_replicas_follow_each_other(start: Start, store: str) -> None:
    one, two = start(store), start(store)
    assert best(two) != "blue-bird"
    one.client.post("/classes", json=BLUE).raise_for_status()
    assert best(one) == "blue-bird"
    eventually(lambda: best(two) == "blue-bird")
    assert two.client.post("/classes", json=BLUE).status_code == 409
    two.client.delete("/classes/blue-bird").raise_for_status()
    eventually(lambda: best(one) != "blue-bird")


def test_writers_in_two_processes_lose_nothing(start: Start, store: str) -> None:
    services = [start(store), start(store)]

    def register(number: int) -> int:
        body = BLUE | {"id": f"bird-{number}"}
        answer = services[number % 2].client.post("/classes", json=body)
        return int(answer.raise_for_status().json()["revision"])

    with ThreadPoolExecutor(8) as pool:
        revisions = list(pool.map(register, range(40)))
    assert sorted(revisions) == list(range(1, 41))
    for service in services:
        eventually(lambda service=service: service.client.get("/classes?seen=false").json()["total"] == 40)  # type: ignore[misc]


def test_another_replica_explains_through_redis(start: Start, own_redis: RedisProcess) -> None:
    one, two = start(own_redis.url), start(own_redis.url)
    answer = one.client.post("/classify", files={"image": picture_bytes("red")}).json()
    explained = two.client.get("/explain", params={"image_id": answer["image_id"]}).raise_for_status().json()
    assert explained["class"]["score"] == pytest.approx(answer["predictions"][0]["score"])


def test_redis_dies_and_comes_back(start: Start, own_redis: RedisProcess) -> None:
    service = start(own_redis.url)
    client = service.client
    client.post("/classes", json=BLUE).raise_for_status()
    own_redis.kill()

    answer = client.post("/classes", json=BLUE | {"id": "other-bird"})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/store-unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert client.delete("/classes/blue-bird").status_code == 503

    photo = {"image": picture_bytes("blue")}
    eventually(lambda: "x-registry-stale" in client.post("/classify", files=photo).headers)
    time.sleep(0.3)
    answer = client.post("/classify", files=photo).raise_for_status()
    assert answer.json()["predictions"][0]["class_id"] == "blue-bird"
    assert float(answer.headers["x-registry-stale"]) > 0.2
    explained = client.get("/explain", params={"image_id": answer.json()["image_id"]})
    assert explained.json()["class"]["class_id"] == "blue-bird"
    assert client.get("/classes/blue-bird").headers["x-registry-stale"]
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["store"]["trouble"] is None) == (200, False)
    assert client.post("/classify", params={"space": "never-met"}, files=photo).status_code == 503

    own_redis.start()
    eventually(lambda: "x-registry-stale" not in client.post("/classify", files=photo).headers)
    assert client.post("/classes", json=BLUE | {"id": "other-bird"}).json()["revision"] == 2


def test_a_redis_that_hangs_does_not_hold_up_photos(start: Start, own_redis: RedisProcess) -> None:
    service = start(own_redis.url, store_timeout_seconds=0.5)
    assert best(service, "red") == "red-bird"
    own_redis.pause()
    for _ in range(3):
        begun = time.monotonic()
        assert best(service, "red") == "red-bird"
        assert time.monotonic() - begun < 5
    assert service.client.post("/classes", json=BLUE).status_code == 503
    own_redis.resume()


def test_a_store_away_at_start_means_not_ready(start: Start, own_redis: RedisProcess) -> None:
    own_redis.kill()
    service = start(own_redis.url, wait="/livez")
    answer = service.client.get("/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")
    assert "class space" in answer.json()["detail"]
    assert service.client.post("/classify", files={"image": picture_bytes("red")}).status_code == 503
    own_redis.start()
    service.wait_for("/readyz")
    assert best(service, "red") == "red-bird"


def test_overload_is_refused_with_a_time(start: Start, tmp_path: Path) -> None:
    service = start(f"sqlite:///{tmp_path}/classes.sqlite", queue_images=2, max_batch=1)
    hold = threading.Event()

    def slow_upload() -> Iterator[bytes]:
        photo = picture_bytes("red")
        yield photo[:10]
        hold.wait(20)
        yield photo[10:]

    def upload() -> httpx.Response:
        headers = {"Content-Type": "image/png"}
        return httpx.post(f"{service.url}/classify", content=slow_upload(), headers=headers, timeout=60)

    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(upload) for _ in range(2)]
        eventually(lambda: "duet_images_in_flight 2.0" in service.client.get("/metrics").text)
        answer = service.client.post("/classify", files={"image": picture_bytes("red")})
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        assert service.client.get("/readyz").status_code == 200
        hold.set()
        assert [task.result().status_code for task in slow] == [200, 200]
    assert "duet_shed_total 1.0" in service.client.get("/metrics").text
    assert best(service, "red") == "red-bird"


def test_a_body_that_does_not_arrive_gives_its_place_back(start: Start, tmp_path: Path) -> None:
    service = start(f"sqlite:///{tmp_path}/classes.sqlite", queue_images=1, max_batch=1, body_timeout_seconds=0.3)

    def endless() -> Iterator[bytes]:
        yield b"\x89PNG"
        time.sleep(1)
        yield b"more"

    answer = httpx.post(f"{service.url}/classify", content=endless(), headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.json()["type"]) == (408, "/problems/body-timeout")
    assert best(service, "red") == "red-bird"


def test_sigterm_finishes_what_was_begun(start: Start, tmp_path: Path) -> None:
    service = start(f"sqlite:///{tmp_path}/classes.sqlite")
    hold = threading.Event()

    def slow_upload() -> Iterator[bytes]:
        photo = picture_bytes("red")
        yield photo[:10]
        hold.wait(20)
        yield photo[10:]

    with ThreadPoolExecutor(1) as pool:
        headers = {"Content-Type": "image/png"}
        upload = pool.submit(
            lambda: httpx.post(f"{service.url}/classify", content=slow_upload(), headers=headers, timeout=60)
        )
        eventually(lambda: "duet_images_in_flight 1.0" in service.client.get("/metrics").text)
        service.signal(signal.SIGTERM)
        time.sleep(0.3)
        hold.set()
        assert upload.result().json()["predictions"][0]["class_id"] == "red-bird"
    assert service.wait() in (0, -signal.SIGTERM)
    assert "Traceback" not in service.log


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"DUET_BUNDLE": "no/such/bundle"}, "manifest.json"), ({"DUET_STORE": "sqlite:///no/such/x.sqlite"}, "folder")],
)
def test_a_start_that_cannot_work_ends_with_the_reason(
    tiny_bundle: Path, tmp_path: Path, settings: dict[str, str], told: str
) -> None:
    base = {"DUET_BUNDLE": str(tiny_bundle), "DUET_STORE": f"sqlite:///{tmp_path}/c.sqlite"}
    command = [sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory", "--port", str(free_port())]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | base | settings, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert told in done.stderr.splitlines()[-3] or told in done.stderr


def test_browsers_of_other_origins_only_when_allowed(start: Start, tmp_path: Path) -> None:
    service = start(f"sqlite:///{tmp_path}/classes.sqlite", cors_origins='["https://birds.example"]')
    for origin, allowed in (("https://birds.example", "https://birds.example"), ("https://other.example", None)):
        answer = service.client.get("/attributes", headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed
