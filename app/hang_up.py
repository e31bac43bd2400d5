"""Notices clients that hang up while their answer is being made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATE = "client"
"""Where in `request.state` the client is."""


class HttpClient:
    """One request's client. Reading its body tells of a hang-up by itself; afterwards somebody has to listen."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._call: Callable[[], None] | None = None
        self._body_came = False
        self._listening: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        """The next message, for the application."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._body_came = True
            self._listen()
        return message

    def on_hang_up(self, call: Callable[[], None]) -> None:
        """Have `call` called when the client hangs up after its whole body has come."""
        self._call = call
        self._listen()

    def forget(self) -> None:
        """Call nothing any more."""
        self._call = None
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None

    def _listen(self) -> None:
        if self._body_came and self._call is not None and self._listening is None:
            self._listening = asyncio.create_task(self._until_hang_up())

    async def _until_hang_up(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass  # nothing else comes after the body
        if self._call is not None:
            self._call()


class NoticeHangUps:
    """ASGI middleware: puts an HttpClient into `request.state`; it costs nothing until somebody asks it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = HttpClient(receive)
        scope.setdefault("state", {})[STATE] = client
        try:
            await self._app(scope, client.receive, send)
        finally:
            client.forget()
