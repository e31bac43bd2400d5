"""SIGHUP opens the bundle in DUET_BUNDLE anew, unless it says that the terminal has gone."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.model_swap import ModelSwap, SwapBusy, SwapRefused

log = logging.getLogger("duet.model")

BUSY_SECONDS = 0.5


@contextmanager
def reopened_on_hangup(models: ModelSwap) -> Iterator[None]:
    """Within it SIGHUP swaps to the bundle that lies in DUET_BUNDLE at that moment.

    Nothing is done where signals cannot be had: outside the main thread, on systems without them. Signals that come
    while a swap is under way ask for one more after it.
    """
    loop, task = asyncio.get_running_loop(), None
    asked = asyncio.Event()
    of_a_terminal = _has_terminal() and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL

    def hangup() -> None:
        if of_a_terminal and not _has_terminal():
            signal.raise_signal(signal.SIGTERM)  # its window was closed: end as any program does
        asked.set()

    try:
        loop.add_signal_handler(signal.SIGHUP, hangup)
    except (RuntimeError, ValueError, NotImplementedError, AttributeError):
        yield
        return
    task = asyncio.create_task(_reopen(models, asked), name="hangup")
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        task.cancel()


async def _reopen(models: ModelSwap, asked: asyncio.Event) -> None:
    folder = models.service.settings.bundle.absolute()
    while True:
        await asked.wait()
        asked.clear()
        try:
            await models.swap(folder, name=folder.name, asked_by="signal")
        except SwapRefused:
            continue  # logged, and kept for GET /model
        except SwapBusy:
            await asyncio.sleep(BUSY_SECONDS)
            asked.set()


def _has_terminal() -> bool:
    """Whether this process has a terminal that is still there."""
    with suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    return False
