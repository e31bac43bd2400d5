"""A server on loopback that answers each path with bytes written by hand, with TLS where it has a certificate."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A whole answer."""
    told = {"Content-Length": str(len(body)), "Connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in told.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def redirect(to: str) -> bytes:
    """An answer that leads elsewhere."""
    return answer(b"", "302 Found", Location=to, Set_Cookie="secret=1")


@dataclass
class PhotoServer:
    """Path -> answer; keeps the head of every request."""

    answers: dict[str, Answer]
    port: int = 0
    heads: list[str] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of a connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            found = self.answers.get(head.split(" ")[1], answer(b"nothing", "404 Not Found"))
            if isinstance(found, bytes):
                writer.write(found)
                await writer.drain()
            else:
                await found(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side went away, which is what some tests are about
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    answers: dict[str, Answer], *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[PhotoServer]:
    """The server while it runs."""
    state = PhotoServer(answers)
    server = await asyncio.start_server(state.handle, host, 0, ssl=context)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()


def make_certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A certificate for `name`: the context of a server that has it, and of a client that trusts it."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    asked = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -addext subjectAltName=DNS:{name}"
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *asked.split(), *files], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=str(certificate))
