"""What survives: Redis killed during writes, a replica killed while it follows, the network cut between the two.

After each of them every class that was acknowledged is there, in every replica, and no answer mixed two revisions.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.registry_traffic import Traffic, blue, eventually
from tests.cut_proxy import CutProxy
from tests.redis_process import RedisProcess
from tests.service_process import ServiceProcess
from tests.tiny_bundle import picture_bytes

pytestmark = pytest.mark.slow

Start = Callable[..., ServiceProcess]
CATCH_UP_SECONDS = 2.0


@pytest.fixture
def start(tiny_bundle: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts services, each with a folder for its copies; they are stopped after the test."""
    running: list[ServiceProcess] = []

    def begin(store: str, *, wait: str = "/readyz", **settings: Any) -> ServiceProcess:
        chosen: dict[str, Any] = {
            "bundle": tiny_bundle,
            "store": store,
            "snapshots": tmp_path / f"copies{len(running)}",
        }
        running.append(ServiceProcess(tmp_path, **(chosen | settings)))
        return running[-1].start(wait=wait)

    yield begin
    for service in running:
        service.close()


@pytest.fixture
def proxy(own_redis: RedisProcess) -> Iterator[CutProxy]:
    """The way to Redis that can be cut."""
    between = CutProxy(own_redis.port)
    yield between
    between.close()


def revision(service: ServiceProcess) -> int:
    return int(service.client.get("/classes", params={"limit": 1}).headers["x-registry-revision"])


def everything(service: ServiceProcess) -> set[str]:
    found: set[str] = set()
    while True:
        page = service.client.get("/classes", params={"seen": False, "limit": 1000, "offset": len(found)}).json()
        found |= {entry["id"] for entry in page["classes"]}
        if len(found) >= page["total"]:
            return found


def check(traffic: Traffic, services: list[ServiceProcess]) -> None:
    """Nothing acknowledged is lost; all replicas have arrived at the same classes; nothing was mixed."""
    newest = max(traffic.acknowledged.values())
    for service in services:
        eventually(lambda service=service: revision(service) >= newest, 10)  # type: ignore[misc]
    found = [everything(service) for service in services]
    assert all(names == found[0] for names in found)
    assert set(traffic.acknowledged) <= found[0]
    assert traffic.mixed == []
    assert traffic.reads > 2


def test_redis_killed_during_writes(start: Start, own_redis: RedisProcess) -> None:
    services = [start(own_redis.url), start(own_redis.url)]
    traffic = Traffic(write_to=services * 2, read_from=services)
    try:
        for _ in range(3):
            time.sleep(1.0)
            own_redis.kill()
            time.sleep(0.5)
            own_redis.start()
            back = len(traffic.acknowledged)
            eventually(lambda back=back: len(traffic.acknowledged) > back)  # type: ignore[misc]
    finally:
        traffic.stop()
    assert traffic.refused.get(503)
    assert set(traffic.refused) == {503}
    check(traffic, services)


def test_a_replica_killed_while_it_follows(start: Start, own_redis: RedisProcess) -> None:
    writer, reader, victim = start(own_redis.url), start(own_redis.url), start(own_redis.url)
    traffic = Traffic(write_to=[writer, writer], read_from=[writer, reader])
    try:
        for _ in range(2):
            time.sleep(0.7)
            victim.signal(signal.SIGKILL)
            victim.wait()
            victim.start()
    finally:
        traffic.stop()
    assert traffic.refused == {}
    check(traffic, [writer, reader, victim])


@pytest.mark.parametrize("how", ["cut", "swallow"])
def test_the_network_cut_between_a_replica_and_redis(
    start: Start, own_redis: RedisProcess, proxy: CutProxy, how: str
) -> None:
    near, far = start(own_redis.url), start(f"redis://127.0.0.1:{proxy.port}/0")
    traffic = Traffic(write_to=[near, near, far], read_from=[near, far])
    photo = {"image": picture_bytes("blue")}
    try:
        time.sleep(0.7)
        getattr(proxy, how)()
        eventually(lambda: "x-registry-stale" in far.client.post("/classify", files=photo).headers)
        behind = revision(far)
        eventually(lambda: revision(near) > behind)
        late = far.client.get("/classes", params={"min_revision": behind + 1})
        assert (late.status_code, late.json()["type"]) == (503, "/problems/revision-not-reached")
        assert int(late.headers["retry-after"]) >= 1
        assert far.client.post("/classes", json=blue("not-stored")).status_code == 503
    finally:
        proxy.mend()
        mended, goal = time.monotonic(), revision(near)
        took = eventually(lambda: revision(far) >= goal)
        traffic.stop()
    assert took < CATCH_UP_SECONDS, time.monotonic() - mended
    assert set(traffic.refused) == {503}
    check(traffic, [near, far])


def test_redis_back_is_followed_within_two_seconds(start: Start, own_redis: RedisProcess) -> None:
    one, two = start(own_redis.url), start(own_redis.url)
    one.client.post("/classes", json=blue("first")).raise_for_status()
    own_redis.kill()
    photo = {"image": picture_bytes("blue")}
    for service in (one, two):
        eventually(lambda s=service: "x-registry-stale" in s.client.post("/classify", files=photo).headers)  # type: ignore[misc]
    time.sleep(1)
    own_redis.start()
    eventually(lambda: one.client.post("/classes", json=blue("second")).status_code == 201, CATCH_UP_SECONDS)
    eventually(lambda: revision(two) == 2, CATCH_UP_SECONDS)
    for service in (one, two):
        eventually(
            lambda s=service: "x-registry-stale" not in s.client.post("/classify", files=photo).headers,  # type: ignore[misc]
            CATCH_UP_SECONDS,
        )


def test_a_start_while_redis_is_away_classifies_from_the_copy(start: Start, own_redis: RedisProcess) -> None:
    service = start(own_redis.url)
    service.client.post("/classes", json=blue("blue-bird")).raise_for_status()
    service.client.patch("/classes/red-bird", json={"hidden": True}).raise_for_status()
    service.client.post("/classes", params={"space": "other"}, json=blue("other-bird")).raise_for_status()
    service.stop()
    own_redis.kill()
    time.sleep(1.2)
    service.start()
    photo = {"image": picture_bytes("blue")}
    answer = service.client.post("/classify", files=photo).raise_for_status()
    assert answer.json()["predictions"][0]["class_id"] == "blue-bird"
    assert answer.headers["x-registry-revision"] == "2"
    assert float(answer.headers["x-registry-stale"]) > 1
    assert service.client.get("/classes/red-bird").status_code == 404
    elsewhere = service.client.post("/classify", params={"space": "other"}, files=photo).raise_for_status()
    assert elsewhere.json()["predictions"][0]["class_id"] == "other-bird"
    assert elsewhere.headers["x-registry-stale"]
    assert service.client.post("/classes", json=blue("b")).status_code == 503
    own_redis.start()
    assert eventually(lambda: service.client.post("/classes", json=blue("b")).status_code == 201) < CATCH_UP_SECONDS
    eventually(lambda: "x-registry-stale" not in service.client.post("/classify", files=photo).headers)


def test_several_workers_share_one_sqlite_file(start: Start, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/classes.sqlite"
    services = [start(store) for _ in range(3)]
    traffic = Traffic(write_to=services, read_from=services)
    try:
        time.sleep(1)
        services[2].signal(signal.SIGKILL)
        services[2].wait()
        services[2].start()
        time.sleep(0.5)
    finally:
        traffic.stop()
    assert set(traffic.refused) <= {"lost"}
    check(traffic, services)
