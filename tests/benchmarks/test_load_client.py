"""What the clients of the benchmarks send and count, against a server of a few lines."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving.client import Log, Plan, closed_loop, open_loop, summary
from benchmarks.serving.http_client import Connection, Reply, upload
from benchmarks.serving.photos import KINDS, make_photo, read_photos, write_photos
from duet_core.runtime.preprocess import load_rgb

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
FULL = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nclose"
REQUEST = upload("/classify", "image", b"photo")


async def against(answers: list[bytes], use: Callable[[int], Awaitable[None]], *, wait: float = 0.0) -> int:
    """Give these answers in turn, again and again, one at a time after a wait; returns the number of connections.

    After an answer that has "close" in it, or an empty one, the connection is closed.
    """
    turn, alone, handlers = itertools.cycle(answers), asyncio.Lock(), list[asyncio.Task[None] | None]()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())
        while await reader.read(len(REQUEST)):
            async with alone:
                await asyncio.sleep(wait)
            answer = next(turn)
            writer.write(answer)
            if not answer or b"close" in answer:
                break
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        await use(server.sockets[0].getsockname()[1])
        await asyncio.gather(*filter(None, handlers))  # the client closes what it has opened
    return len(handlers)


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_is_the_same_whenever_it_is_made(kind: str) -> None:
    photo = make_photo(3, kind=kind, sides=(40, 80))
    assert photo == make_photo(3, kind=kind, sides=(40, 80)) != make_photo(4, kind=kind, sides=(40, 80))
    assert 40 <= max(load_rgb(photo).size) <= 80


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"got kind 'gif'; allowed are jpg"):
        make_photo(0, kind="gif")


def test_photos_are_read_in_the_order_they_were_made(tmp_path: Path) -> None:
    write_photos(tmp_path, 3, kinds=("jpg", "png"), seed=7)
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".jpg", ".png", ".jpg"]
    assert read_photos(tmp_path)[2] == make_photo(9)


async def _two(port: int, replies: list[Reply]) -> None:
    connection = Connection("127.0.0.1", port)
    replies += [await connection.ask(REQUEST), await connection.ask(REQUEST)]
    connection.close()


@pytest.mark.parametrize(
    ("answers", "statuses", "connections"),
    [([OK], [200, 200], 1), ([FULL, OK], [503, 200], 2), ([b"", OK], [0, 200], 2), ([SHORT, OK], [0, 200], 2)],
    ids=["kept", "closed by the server", "lost", "cut short"],
)
def test_a_connection_is_kept_or_made_anew(answers: list[bytes], statuses: list[int], connections: int) -> None:
    replies: list[Reply] = []
    assert asyncio.run(against(answers, lambda port: _two(port, replies))) == connections
    assert [reply.status for reply in replies] == statuses


def _plan(port: int, **given: Any) -> Plan:
    return Plan(port=port, path="/classify", name="image", photos="", warm=0.0, **given)


def test_clients_of_a_closed_loop_wait_for_their_answers() -> None:
    log = Log()
    use = lambda port: closed_loop(_plan(port, clients=3, seconds=60, most=9), [REQUEST], log)  # noqa: E731
    assert asyncio.run(against([OK, FULL], use)) >= 3
    assert len(log.status) in range(9, 12)  # those under way when the last was due are answered too
    assert set(log.status) == {200, 503}
    assert log.retry_after == log.status.count(503)


def test_an_open_loop_counts_the_time_for_which_a_slow_server_keeps_photos_waiting() -> None:
    log, wait, begun = Log(), 0.05, time.perf_counter()
    use = lambda port: _sent(_plan(port, rate=60.0, seconds=0.5), log)  # noqa: E731
    asyncio.run(against([OK], use, wait=wait))
    found = summary(_plan(0, rate=60.0, seconds=1.0), log, begun, 0)
    assert 10 < found["sent"] == found["answered"] < 60
    assert found["max_ms"] > 1000 * wait * found["sent"] / 3  # one at a time, they queue: each alone would take `wait`


async def _sent(plan: Plan, log: Log) -> None:
    assert await open_loop(plan, [REQUEST], log) == 0


def test_the_summary_counts_what_was_sent_after_the_warm_up() -> None:
    log = Log(sent=[0.5, 1.0, 1.5, 2.0, 3.5], took=[0.6, 0.1, 0.2, 0.3, 0.1], status=[200, 200, 503, 200, 200])
    plan = Plan(port=0, path="/", name="image", photos="", clients=1, warm=1.0, seconds=2.0)
    found = summary(plan, log, 0.0, 1)
    assert (found["sent"], found["answered"], found["statuses"]) == (4, 2, {"200": 2, "503": 1})
    assert found["p50_ms"] == pytest.approx(200)
    assert found["a_second"] == pytest.approx(1.5)  # the first was sent before, and ended within
