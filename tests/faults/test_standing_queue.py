"""More photos than can be computed: those let in are answered, the others are told when to come back."""

from __future__ import annotations

import socket
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from tests.faults.conftest import StartServer
from tests.faults.report import Row
from tests.faults.server import HeldServer, eventually
from tests.faults.sockets import photo_request
from tests.tiny_bundle import picture_bytes

pytestmark = pytest.mark.slow


def test_a_queue_that_stands_turns_away_while_a_burst_waits(serve: StartServer) -> None:
    service = serve(held=True, steady_images=2)
    assert isinstance(service, HeldServer)
    row = Row(18, "photos while the model is held, until the queue counts as standing, and 20 more")

    def classify() -> int:
        with httpx.Client(base_url=service.url, timeout=60) as client:
            row.inputs += 1
            return row.answer(client.post("/classify", files={"image": picture_bytes("red")}))

    service.say("hold")
    sent: list[Future[int]] = []
    early = photo_request()
    with socket.create_connection(("127.0.0.1", service.port)) as arriving, ThreadPoolExecutor(60) as pool:
        arriving.sendall(early[:-60])
        eventually(lambda: service.metric("duet_images_in_flight") == 1)  # let in while nothing stood

        def refused_one_more() -> bool:
            sent.append(pool.submit(classify))
            return any(photo.done() for photo in sent)

        eventually(refused_one_more)
        assert [classify() for _ in range(20)] == [503] * 20
        arriving.sendall(early[-60:])
        assert b"/problems/overloaded" in arriving.makefile("rb").read()  # others were faster
        service.say("")
        answers = [photo.result() for photo in sent]
    assert answers.count(200) >= 3  # two are steady, and it took more for the queue to stand
    assert set(answers) == {200, 503}
    eventually(lambda: service.metric("duet_images_in_flight") == 0)
    assert classify() == 200
    row.done(service)
