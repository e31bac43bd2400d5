"""Clients that leave: in their headers, in their photo, while it waits for the model, in the answer."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.conftest import StartServer
from tests.faults.report import Row
from tests.faults.server import HeldServer, Server, eventually
from tests.faults.sockets import allow_files, connect, photo_request, vanish
from tests.tiny_bundle import picture_bytes

pytestmark = pytest.mark.slow

GONE = 200
WAITING = 40
WHOLE = photo_request()


async def leave(port: int, sent: bytes, *, reading: int = 0) -> None:
    """Send a part of a request, perhaps read a part of the answer, and end the connection with a reset."""
    reader, writer = await connect(port)
    writer.write(sent)
    await writer.drain()
    await reader.read(reading) if reading else await asyncio.sleep(0.05)
    await vanish(writer)


async def leave_together(port: int, count: int, sent: bytes, *, reading: int = 0) -> None:
    await asyncio.gather(*(leave(port, sent, reading=reading) for _ in range(count)))


def serves_as_before(service: Server, row: Row, files: int) -> None:
    """No place, no file and no connection is left taken."""
    eventually(lambda: service.metric("duet_images_in_flight") == 0)
    assert row.answer(service.client.post("/classify", files={"image": picture_bytes("red")})) == 200
    row.inputs += 1
    eventually(lambda: service.files() <= files + 3)


@pytest.mark.parametrize(
    ("sent", "reading", "when", "order"),
    [
        (b"POST /classify HTTP/1.1\r\nHost: du", 0, "in their headers", 20),
        (WHOLE[: len(WHOLE) // 2], 0, "in their photo", 21),
        (WHOLE, 20, "in the answer", 22),
    ],
    ids=["headers", "photo", "answer"],
)
def test_clients_that_leave(serve: StartServer, sent: bytes, reading: int, when: str, order: int) -> None:
    allow_files(2000)
    service = serve()
    files = service.files()
    row = Row(order, f"{GONE} clients that leave {when}", inputs=GONE)
    asyncio.run(leave_together(service.port, GONE, sent, reading=reading))
    row.answers["left"] += GONE
    serves_as_before(service, row, files)
    row.done(service)


def test_photos_of_clients_that_left_are_not_given_to_the_model(serve: StartServer) -> None:
    service = serve(held=True, max_batch=1)
    assert isinstance(service, HeldServer)
    files, row = service.files(), Row(23, f"{WAITING} clients that leave while their photos wait", inputs=WAITING)
    service.say("hold")
    before = service.model_calls()

    async def scenario() -> None:
        going = asyncio.gather(*(waiting(service) for _ in range(WAITING)))
        await asyncio.to_thread(eventually, lambda: service.metric("duet_images_in_flight") == WAITING)
        gone.set()
        await going

    gone = asyncio.Event()

    async def waiting(service: Server) -> None:
        _, writer = await connect(service.port)
        writer.write(WHOLE)
        await gone.wait()
        await vanish(writer)

    asyncio.run(scenario())
    row.answers["left"] += WAITING
    eventually(lambda: service.metric("duet_images_in_flight") <= 1)  # one is in the model, which cannot be stopped
    service.say("")
    serves_as_before(service, row, files)
    assert service.model_calls() - before <= 3  # the one in the model, one taken with it at most, and the new client's
    row.done(service)
