"""More photos than can be computed: those let in are answered, the others are told when to come back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.faults.conftest import StartServer
from tests.faults.report import Row
from tests.faults.server import HeldServer, eventually
from tests.tiny_bundle import picture_bytes

pytestmark = pytest.mark.slow


def test_a_queue_that_stands_turns_away_while_a_burst_waits(serve: StartServer) -> None:
    service = serve(held=True, steady_images=2)
    assert isinstance(service, HeldServer)
    row = Row(18, "a burst of 6 photos, then 20 more while the model is held, 2 being steady")

    def classify(_: int) -> int:
        with httpx.Client(base_url=service.url, timeout=60) as client:
            row.inputs += 1
            return row.answer(client.post("/classify", files={"image": picture_bytes("red")}))

    service.say("hold")
    with ThreadPoolExecutor(6) as pool:
        burst = [pool.submit(classify, number) for number in range(6)]
        eventually(lambda: service.metric("duet_images_in_flight") == 6)
        eventually(lambda: classify(0) == 503)
        assert [classify(number) for number in range(19)] == [503] * 19
        service.say("")
        assert [photo.result() for photo in burst] == [200] * 6
    eventually(lambda: service.metric("duet_images_in_flight") == 0)
    assert classify(0) == 200
    row.done(service)
