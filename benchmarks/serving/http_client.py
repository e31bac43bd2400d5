"""A keep-alive HTTP/1.1 client that costs little: it shares the cores with the service that it measures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

BOUNDARY = "duet-benchmark-photo"


@dataclass(frozen=True)
class Reply:
    """What came back: status 0 when the connection ended without a whole answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


LOST = Reply(0)


def upload(path: str, name: str, photo: bytes) -> bytes:
    """The bytes of a request that posts a photo as one field of a form, as `curl -F NAME=@photo.jpg` does."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="photo.jpg"\r\n'
    body = f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
    lines = [f"POST {path} HTTP/1.1", "Host: benchmark", f"Content-Type: multipart/form-data; boundary={BOUNDARY}"]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


class Connection(asyncio.Protocol):
    """One connection, one request at a time; opened when needed, and anew after the server has closed it.

    Args:
        host, port: where the server listens.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Reply] | None = None
        self._arrived = bytearray()

    async def ask(self, request: bytes) -> Reply:
        """Send a whole request and wait for its answer; LOST when the connection ends before."""
        loop = asyncio.get_running_loop()
        if self._transport is None or self._transport.is_closing():
            try:
                self._transport, _ = await loop.create_connection(lambda: self, self._host, self._port)
            except OSError:
                return LOST
        self._arrived.clear()
        self._waiting = loop.create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Let go of the connection."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Collect until the answer is whole."""
        self._arrived += data
        end = self._arrived.find(b"\r\n\r\n")
        if end < 0:
            return
        status, headers = _head(bytes(self._arrived[:end]))
        if len(self._arrived) - end - 4 >= int(headers.get("content-length", 0)):
            if headers.get("connection") == "close" and self._transport is not None:
                self._transport.close()
            self._settle(Reply(status, headers, bytes(self._arrived[end + 4 :])))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's name
        """The answer, if one was waited for, does not come."""
        self._transport = None
        self._settle(LOST)

    def _settle(self, reply: Reply) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)


def _head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split(" ")[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}
