"""The engine in a real server process: sockets, signals, and a model that is held back, killed or hung."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access.key_file import KeyFile, new_key, write_key_file
from app.drain import GIVEN_UP
from tests.app.breakable_service import WORD
from tests.service_process import ServiceProcess
from tests.tiny_bundle import picture_bytes


class BreakableProcess(ServiceProcess):
    """The service of breakable_service.py; `word` is its file."""

    factory = "tests.app.breakable_service:create_app"

    def __init__(self, folder: Path, word: Path, **settings: Any) -> None:
        super().__init__(folder, **settings)
        self.environment[WORD] = str(word)


class Breakable:
    """A service and the file that breaks its model."""

    def __init__(self, folder: Path, bundle: Path, **settings: Any) -> None:
        self.word = folder / "model.txt"
        self.calls = folder / "model.calls"
        self.at_start = 0
        store = f"sqlite:///{folder}/classes.sqlite"
        self.service = BreakableProcess(folder, self.word, bundle=bundle, store=store, **settings)

    def say(self, word: str) -> None:
        self.word.write_text(word)

    def classify(self, **headers: str) -> httpx.Response:
        """A photo, over a connection of its own."""
        photo = {"image": picture_bytes("red")}
        return httpx.post(f"{self.service.url}/classify", files=photo, headers=headers, timeout=60)

    def metric(self, name: str) -> float:
        found = re.search(rf"^{name} (\S+)$", self.service.client.get("/metrics").text, re.MULTILINE)
        assert found, name
        return float(found[1])

    def until(self, name: str, value: float) -> None:
        eventually(lambda: self.metric(name) == value)

    def computed(self) -> int:
        """Photos the model was asked for since the start, which asks for some itself."""
        return len(self.calls.read_text().split()) - self.at_start


Start = Callable[..., Breakable]


@pytest.fixture
def start(tiny_bundle: Path, tmp_path: Path) -> Iterator[Start]:
    with contextlib.ExitStack() as running:

        def begin(**settings: Any) -> Breakable:
            broken = Breakable(tmp_path, tiny_bundle, **settings)
            running.callback(broken.service.close)
            broken.service.start()
            broken.at_start = broken.computed()
            running.callback(broken.say, "")  # a model that is held back would hold its end up
            return broken

        yield begin


def eventually(condition: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_the_deadline_of_a_request_ends_it_and_its_photo_is_not_computed(start: Start) -> None:
    broken = start(max_batch=1)
    broken.say("hold")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(broken.classify)
        eventually(lambda: broken.computed() == 1)  # it is held
        late = broken.classify(**{"X-Request-Timeout-Ms": "200"})
        assert problem(late) == (503, "deadline-exceeded")
        assert "0.2 s" in late.json()["detail"]
        assert int(late.headers["retry-after"]) >= 1
        broken.say("")
        assert first.result().status_code == 200
    assert broken.classify().status_code == 200
    assert broken.computed() == 2  # the first and the last
    assert broken.metric("duet_expired_total") == 1
    assert broken.metric("duet_images_in_flight") == 0


@pytest.mark.parametrize("value", ["0", "-5", "soon", "1e3", "999999999"])
def test_a_deadline_that_cannot_be_meant_is_refused(client: httpx.Client, value: str) -> None:
    photo = {"image": picture_bytes("red")}
    answer = client.post("/classify", files=photo, headers={"X-Request-Timeout-Ms": value})
    assert problem(answer) == (422, "invalid-parameter")
    assert "X-Request-Timeout-Ms" in answer.json()["detail"]
    answer = client.post("/classify", files=photo, headers={"X-Request-Timeout-Ms": "20000"})
    assert answer.status_code == 200


def test_the_photo_of_a_client_that_hangs_up_is_not_computed(start: Start) -> None:
    broken = start(max_batch=1)
    broken.say("hold")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(broken.classify)
        eventually(lambda: broken.computed() == 1)
        photo = {"image": picture_bytes("blue")}
        with pytest.raises(httpx.ReadTimeout):  # the photo has been sent; the answer is not waited for
            httpx.post(f"{broken.service.url}/classify", files=photo, timeout=httpx.Timeout(30, read=0.3))
        broken.until("duet_abandoned_total", 1)
        assert broken.metric("duet_images_in_flight") == 1  # its place is free at once
        broken.say("")
        assert first.result().status_code == 200
    assert broken.classify().status_code == 200
    assert broken.computed() == 2
    assert 'status="499"' in broken.service.client.get("/metrics").text


def test_one_key_cannot_have_all_places(start: Start, tmp_path: Path) -> None:
    keys = {name: new_key(name, ["classify"]) for name in ("camera", "phone")}
    file = tmp_path / "keys.json"
    write_key_file(file, KeyFile(keys=tuple(entry for _, entry in keys.values())))
    broken = start(max_batch=1, queue_images=3, key_queue_images=2, api_keys=file)
    camera, phone = ({"X-API-Key": key} for key, _ in keys.values())
    broken.say("hold")
    with ThreadPoolExecutor(3) as pool:
        held = [pool.submit(lambda: broken.classify(**camera)) for _ in range(2)]
        broken.until("duet_images_in_flight", 2)
        refused = broken.classify(**camera)
        assert problem(refused) == (429, "quota-exceeded")
        assert refused.json()["allowed"] == "2 photos at once"
        assert int(refused.headers["retry-after"]) >= 1
        held.append(pool.submit(lambda: broken.classify(**phone)))
        broken.until("duet_images_in_flight", 3)
        assert problem(broken.classify(**phone)) == (503, "overloaded")  # its own share is free, the service is full
        broken.say("")
        assert [task.result().status_code for task in held] == [200] * 3
    assert broken.classify(**camera).status_code == 200
    assert (broken.metric("duet_over_quota_total"), broken.metric("duet_shed_total")) == (1, 1)


def test_sigterm_finishes_the_queue_and_refuses_what_comes_later(start: Start) -> None:
    broken = start(max_batch=1, drain_seconds=3)
    broken.say("hold")
    with ThreadPoolExecutor(4) as pool:
        held = [pool.submit(broken.classify) for _ in range(4)]
        broken.until("duet_images_in_flight", 4)
        broken.service.signal(signal.SIGTERM)
        eventually(lambda: broken.service.client.get("/readyz").status_code == 503)
        assert "ending" in broken.service.client.get("/readyz").json()["detail"]
        refused = broken.classify()
        assert problem(refused) == (503, "shutting-down")
        assert refused.headers["connection"] == "close"
        assert int(refused.headers["retry-after"]) >= 1
        broken.say("")
        assert [task.result().status_code for task in held] == [200] * 4
    assert broken.service.wait(20) in (0, -signal.SIGTERM)
    assert "Traceback" not in broken.service.log


def test_a_worker_that_dies_is_replaced_and_one_that_always_dies_ends_the_process(start: Start) -> None:
    broken = start(max_worker_deaths=4)
    broken.say("die")
    answer = broken.classify()
    assert problem(answer) == (503, "not-ready")
    assert int(answer.headers["retry-after"]) >= 1
    broken.say("")
    broken.service.wait_for("/readyz")
    assert broken.classify().status_code == 200
    broken.say("die")
    assert problem(broken.classify()) == (503, "not-ready")
    assert broken.service.wait(30) == GIVEN_UP
    assert "4 times in a row" in broken.service.log


def test_a_model_that_hangs_is_told_by_readiness_and_ends_the_process(start: Start) -> None:
    broken = start(model_timeout_seconds=0.5)
    broken.say("hold")
    assert problem(broken.classify()) == (503, "not-ready")
    with contextlib.suppress(httpx.TransportError):  # the process may already have ended
        assert broken.service.client.get("/readyz").status_code == 503
    assert broken.service.wait(60) == GIVEN_UP
    assert "has not answered for" in broken.service.log
