"""Clients that take their time: 200 at once that never end their headers, their body, or say nothing at all."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.faults.conftest import StartServer
from tests.faults.report import Row
from tests.faults.server import Server, eventually
from tests.faults.sockets import allow_files, answer, connect, photo_request
from tests.tiny_bundle import picture_bytes

pytestmark = pytest.mark.slow

BOTH_PARSERS = pytest.mark.parametrize("fast", [False, True], ids=["h11", "httptools"])
SLOW = 200
LIMIT_SECONDS = 3.0
BEGINNING = photo_request()[:-60]
"""Of a request with everything but the end of its photo."""


async def trickle(port: int, row: Row, first: bytes, bit: bytes) -> tuple[int, float]:
    """Send `first`, then `bit` again and again; the status of the answer (0: none) and seconds until the end."""
    begun = time.monotonic()
    reader, writer = await connect(port)
    writer.write(first)

    async def drip() -> None:
        with contextlib.suppress(ConnectionError):
            while bit:
                await asyncio.sleep(0.5)
                writer.write(bit)
                await writer.drain()

    dripping = asyncio.create_task(drip())
    status = await answer(reader, row, seconds=60)
    dripping.cancel()
    writer.close()
    return status, time.monotonic() - begun


async def many(port: int, row: Row, first: bytes, bit: bytes, count: int = SLOW) -> list[tuple[int, float]]:
    return await asyncio.gather(*(trickle(port, row, first, bit) for _ in range(count)))


@contextlib.contextmanager
def meanwhile(service: Server, row: Row) -> Iterator[list[float]]:
    """A normal client in another thread: photos and lists one after the other; seconds of each pair."""
    took: list[float] = []
    stop = threading.Event()

    def work() -> None:
        with httpx.Client(base_url=service.url, timeout=60) as client:
            while not stop.is_set():
                begun = time.monotonic()
                row.answer(client.post("/classify", files={"image": picture_bytes("red")}))
                row.answer(client.get("/classes"))
                row.inputs += 2
                took.append(time.monotonic() - begun)
                stop.wait(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    yield took
    stop.set()
    thread.join()


@pytest.mark.parametrize(
    ("first", "bit", "status", "order"),
    [
        (b"GET /classes HTTP/1.1\r\nHost: duet\r\n", b"X-A: b\r\n", 408, 10),
        (b"GET /cla", b"s", 408, 11),
        (b"", b"", 0, 12),
    ],
    ids=["headers", "first-line", "silent"],
)
def test_requests_whose_headers_never_end(
    serve: StartServer, first: bytes, bit: bytes, status: int, order: int
) -> None:
    allow_files(2000)
    service = serve(header_timeout_seconds=LIMIT_SECONDS)
    name = "headers that never end" if bit == b"X-A: b\r\n" else "a first line that never ends" if bit else "silence"
    row = Row(order, f"{SLOW} connections: {name}")
    before = service.files()
    with meanwhile(service, row) as took:
        ends = asyncio.run(many(service.port, row, first, bit))
    row.inputs += SLOW
    if not bit:
        row.answers["closed"] += SLOW
    assert {found for found, _ in ends} == {status}
    assert min(seconds for _, seconds in ends) > LIMIT_SECONDS - 0.5
    assert row.answers["200"] == 2 * len(took)
    assert len(took) > 5
    eventually(lambda: service.files() <= before + 3)
    row.done(service)


@BOTH_PARSERS
def test_a_kept_connection_whose_next_request_never_ends_is_closed(serve: StartServer, fast: bool) -> None:
    service = serve(fast=fast, header_timeout_seconds=1.0)
    row = Row(0, "one")

    async def scenario() -> float:
        reader, writer = await connect(service.port)
        writer.write(photo_request(close=False))
        assert await answer(reader, row) == 200
        begun = time.monotonic()
        for letter in b"GET /classes":
            writer.write(bytes([letter]))
            await asyncio.sleep(0.2)
            if reader.at_eof():
                break
        assert await reader.read() == b""
        writer.close()
        return time.monotonic() - begun

    assert 0.5 < asyncio.run(scenario()) < 10


@BOTH_PARSERS
def test_a_slow_body_is_not_taken_for_slow_headers(serve: StartServer, fast: bool) -> None:
    """The time is for headers alone: a body takes longer here, on a connection that has served a request before."""
    service = serve(fast=fast, header_timeout_seconds=1.0)
    row = Row(0, "one")

    async def scenario() -> list[int]:
        reader, writer = await connect(service.port)
        found = []
        for _ in range(2):
            request = photo_request(close=False)
            writer.write(request[:-60])
            await asyncio.sleep(1.6)
            writer.write(request[-60:])
            found.append(await answer(reader, row))
        writer.close()
        return found

    assert asyncio.run(scenario()) == [200, 200]


def test_bodies_that_never_end(serve: StartServer) -> None:
    """They hold every place there is, no longer than the body's time: then others are served."""
    allow_files(2000)
    service = serve(body_timeout_seconds=LIMIT_SECONDS)
    row = Row(16, f"{SLOW} connections: photos that trickle in, more than there are places")
    before = service.files()
    ends = asyncio.run(many(service.port, row, BEGINNING, b"\x00"))
    row.inputs += SLOW
    assert row.answers == {"408": 64, "503": SLOW - 64}
    assert all(seconds > LIMIT_SECONDS - 0.5 for status, seconds in ends if status == 408)
    eventually(lambda: service.metric("duet_images_in_flight") == 0)
    assert row.answer(service.client.post("/classify", files={"image": picture_bytes("red")})) == 200
    row.inputs += 1
    eventually(lambda: service.files() <= before + 3)
    row.done(service)


def test_few_slow_bodies_leave_room_for_the_others(serve: StartServer) -> None:
    service = serve(body_timeout_seconds=LIMIT_SECONDS)
    row = Row(17, "50 photos that trickle in beside normal clients")
    with meanwhile(service, row) as took:
        ends = asyncio.run(many(service.port, row, BEGINNING, b"\x00", 50))
    row.inputs += 50
    assert {status for status, _ in ends} == {408}
    assert row.answers["200"] == 2 * len(took)
    row.done(service)
