"""A lack of open files is one line a minute; every other trouble of the event loop is told as ever."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Iterator

import pytest

from app.open_files import TooManyFiles


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_flood_is_one_line(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    loop.set_exception_handler(TooManyFiles())
    for later in (0.0, 1.0, 59.0, 61.0):
        now = 100.0 + later
        for _ in range(100):
            loop.call_exception_handler({"message": "accept", "exception": OSError(number, os.strerror(number))})
    assert len(caplog.records) == 2
    assert "ulimit -n" in caplog.text
    assert "Traceback" not in caplog.text


def test_other_errors_are_told_whole(loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture) -> None:
    loop.set_exception_handler(TooManyFiles())
    loop.call_exception_handler({"message": "a task failed", "exception": OSError(errno.EIO, "broken")})
    loop.call_exception_handler({"message": "no exception at all"})
    assert [record.message.splitlines()[0] for record in caplog.records] == ["a task failed", "no exception at all"]
    assert "broken" in caplog.text
