"""Running out of open files is one line in the log, not a traceback for every connection that waits."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from typing import Any

log = logging.getLogger("duet.server")

SAID_EVERY_SECONDS = 60.0
_OUT = {errno.EMFILE, errno.ENFILE}


class TooManyFiles:
    """An exception handler of an event loop; everything but a lack of open files goes to the loop's own.

    asyncio tells of a connection it cannot accept as often as connections wait, and tries again after a second.
    """

    def __init__(self) -> None:
        self._said_at = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _OUT):
            loop.default_exception_handler(context)
            return
        now = time.monotonic()
        if now - self._said_at >= SAID_EVERY_SECONDS:
            self._said_at = now
            log.error(
                "no more open files are allowed (%s): new connections wait until others end; raise the limit "
                "(ulimit -n, LimitNOFILE, or Docker's --ulimit nofile), or put a proxy that limits connections before",
                error.strerror,
            )
