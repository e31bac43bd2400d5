"""A lack of open files is one line a minute; every other trouble of the event loop is told as ever."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Iterator

import pytest

from app import open_files
from app.open_files import TooManyFiles


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_flood_is_one_line_a_minute(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    now, told = 100.0, []
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(open_files.log, "error", lambda line, *parts: told.append(line % parts))
    loop.set_exception_handler(TooManyFiles())
    for later in (0.0, 1.0, 59.0, 61.0):
        now = 100.0 + later
        for _ in range(100):
            loop.call_exception_handler({"message": "accept", "exception": OSError(number, os.strerror(number))})
    assert len(told) == 2
    assert "ulimit -n" in told[0]
    assert os.strerror(number) in told[0]


def test_other_errors_go_to_the_loops_own_handler(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(loop, "default_exception_handler", lambda context: told.append(context["message"]))
    loop.set_exception_handler(TooManyFiles())
    loop.call_exception_handler({"message": "a task failed", "exception": OSError(errno.EIO, "broken")})
    loop.call_exception_handler({"message": "no exception at all"})
    loop.call_exception_handler({"message": "accept", "exception": OSError(errno.EMFILE, "too many")})
    assert told == ["a task failed", "no exception at all"]
