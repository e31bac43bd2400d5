"""1,000 connections at once: open and silent, asking all together, and more than the process may have files."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.conftest import StartServer
from tests.faults.report import Row
from tests.faults.server import eventually
from tests.faults.sockets import allow_files, answer, ask, connect, photo_request, vanish
from tests.tiny_bundle import picture_bytes

pytestmark = pytest.mark.slow

MANY = 1000
FILES = 256
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def connected(port: int, count: int) -> AsyncIterator[list[Connection]]:
    """So many connections, all open at once."""
    made = [await connect(port) for _ in range(count)]
    try:
        yield made
    finally:
        await asyncio.gather(*(vanish(writer) for _, writer in made))


def test_a_thousand_connections_that_say_nothing(serve: StartServer) -> None:
    allow_files(4 * MANY)
    service = serve()
    files, row = service.files(), Row(30, f"{MANY:,} open connections beside 50 photos", inputs=MANY + 50)

    async def scenario() -> list[int]:
        async with connected(service.port, MANY):
            await asyncio.to_thread(eventually, lambda: service.files() >= files + MANY)
            return [await ask(service.port, row, photo_request()) for _ in range(50)]

    assert asyncio.run(scenario()) == [200] * 50
    row.answers["silent"] += MANY
    eventually(lambda: service.files() <= files + 3)
    row.done(service)


def test_a_thousand_clients_that_ask_at_once(serve: StartServer) -> None:
    """Each has an answer: its own, or 503 with the time to come back; those come back until they are served."""
    allow_files(4 * MANY)
    service = serve()
    row = Row(31, f"{MANY:,} photos at the same moment, sent again after 503")

    async def client(connection: Connection) -> bool:
        reader, writer = connection
        for _ in range(200):
            row.inputs += 1
            writer.write(photo_request(close=False))
            if (status := await answer(reader, row)) != 503:
                return status == 200
            await asyncio.sleep(1)  # Retry-After is in whole seconds
        return False

    async def scenario() -> list[bool]:
        async with connected(service.port, MANY) as made:
            return await asyncio.gather(*(client(connection) for connection in made))

    served = asyncio.run(scenario())
    row.lost = served.count(False)
    assert row.answers["503"]  # there are 64 places
    row.done(service)


@pytest.mark.parametrize("fast", [False, True], ids=["asyncio", "uvloop"])
def test_more_connections_than_files_are_allowed(serve: StartServer, fast: bool) -> None:
    allow_files(4 * MANY)
    service = serve(prefix=["prlimit", f"--nofile={FILES}"], fast=fast)
    row = Row(
        32 + fast, f"{MANY:,} connections, {FILES} files allowed ({'uvloop' if fast else 'asyncio'})", inputs=MANY
    )

    async def scenario() -> None:
        async with connected(service.port, MANY):  # the system accepts them, the service cannot
            await asyncio.to_thread(eventually, lambda: fast or service.files() >= FILES)
            await asyncio.sleep(3)

    asyncio.run(scenario())
    row.answers["waited"] += MANY
    begun = time.monotonic()
    assert row.answer(service.client.post("/classify", files={"image": picture_bytes("red")})) == 200
    row.inputs += 1
    assert time.monotonic() - begun < 10
    assert service.log.count("no more open files") == (0 if fast else 1), service.log
    row.done(service)
