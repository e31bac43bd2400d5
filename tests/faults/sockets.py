"""Requests as bytes on sockets, hundreds at a time, which an HTTP client would not send."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource

from tests.faults.report import Row
from tests.tiny_bundle import picture_bytes

BOUNDARY = b"0123456789abcdef"


def photo_request(colour: str = "red", *, close: bool = True) -> bytes:
    """POST /classify with a multipart photo; the connection is kept unless `close`."""
    body = (
        b'--%b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
        % BOUNDARY
        + picture_bytes(colour)
        + b"\r\n--%b--\r\n" % BOUNDARY
    )
    return (
        b"POST /classify HTTP/1.1\r\nHost: duet\r\n%bContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=%b\r\n\r\n%b"
        % (b"Connection: close\r\n" if close else b"", len(body), BOUNDARY, body)
    )


async def answer(reader: asyncio.StreamReader, row: Row, *, seconds: float = 60) -> int:
    """Read one answer and count it; 0 for a connection that was closed without one, which is not counted."""
    try:
        async with asyncio.timeout(seconds):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(length[1]) if length else 0)
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0
    deliberate = b"problem+json" in head and b"retry-after" in head.lower()
    return row.status(int(head.split()[1]), deliberate=deliberate)


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the service."""
    return await asyncio.open_connection("127.0.0.1", port)


async def ask(port: int, row: Row, request: bytes) -> int:
    """One request over a connection of its own; its status, or 0 when there was no answer."""
    try:
        reader, writer = await connect(port)
    except OSError:
        return 0
    with contextlib.closing(writer):
        writer.write(request)
        return await answer(reader, row)


async def vanish(writer: asyncio.StreamWriter) -> None:
    """End a connection at once: with a reset, not with a polite end."""
    writer.transport.abort()
    await asyncio.sleep(0)


def allow_files(count: int) -> None:
    """Let this process have so many open files, as far as the machine lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
