"""Connections on which no request arrives are closed: slow headers, or silence, must not fill the server's sockets."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

BODY = (
    b'{"type":"about:blank","title":"Request timeout","status":408,'
    b'"detail":"The headers of the request did not arrive in time. Send them at once."}'
)
LATE = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


class _RequestsInTime(asyncio.Protocol):
    """Between two requests a client has `seconds`, however it spends them; uvicorn itself waits for ever.

    A request is here from the end of its headers (`cycle`, uvicorn's name) to that of its answer; then the application
    looks after its body, and uvicorn after connections that are kept without a byte.
    """

    seconds: float
    transport: asyncio.Transport
    cycle: Any = None
    _clock: asyncio.TimerHandle | None = None
    _spoke = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        self._spoke = True
        super().data_received(data)
        if self._busy():
            self._stop()
        elif self._clock is None and not self.transport.is_closing():
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._clock = asyncio.get_running_loop().call_later(self.seconds, self._late)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _late(self) -> None:
        """Close; a client that has begun its first request is told why."""
        self._clock = None
        if self._busy() or self.transport.is_closing():
            return
        if self._spoke and self.cycle is None:
            self.transport.write(LATE)
        self.transport.close()


def requests_in_time(seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's HTTP protocol, which also closes a connection when the headers of a request take longer than this."""
    made = type("RequestsInTime", (_RequestsInTime, AutoHTTPProtocol), {"seconds": seconds})
    return cast("type[asyncio.Protocol]", made)
