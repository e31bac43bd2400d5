"""The HTTP server of `duet serve`: says where it listens once it does, and ends with the reason when it cannot."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.late_requests import requests_in_time
from app.open_files import TooManyFiles
from app.registry.store import StoreError


class CannotStart(RuntimeError):
    """The store refuses to be used; the message is its own."""


class StartupReason:
    """An ASGI app that keeps what made its start fail, so that this is told instead of a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.error: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failed = False

        async def without_traceback(message: Message) -> None:
            nonlocal failed
            failed = message["type"] == "lifespan.startup.failed"
            await send({"type": message["type"], "message": ""} if failed else message)

        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, without_traceback)
        except Exception as error:
            self.error = error if failed else None
            raise


class _Server(uvicorn.Server):
    """Calls `on_start` when the socket is bound and the app has started."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(TooManyFiles())
        await super().startup(sockets=sockets)
        if self.started:
            self._on_start()


def serve(app: ASGIApp, *, host: str, port: int, on_start: Callable[[], None], header_seconds: float) -> None:
    """Serve `app` until stopped; the headers of a request may take `header_seconds`.

    Raises what made its start fail, such as BundleError; CannotStart when the store refuses to be used; OSError when
    the address cannot be listened on.
    """
    kept = StartupReason(app)
    config = uvicorn.Config(  # the log is configured already (app/observability/logs.py)
        kept,
        host=host,
        port=port,
        http=requests_in_time(header_seconds),
        log_config=None,
        access_log=False,
        server_header=False,  # which program answers is nobody's business
        lifespan="on",
        timeout_graceful_shutdown=30,
    )
    server = _Server(config, on_start)
    try:
        server.run()
    except SystemExit:  # uvicorn's way to say that the start failed; it has logged what the system said of the socket
        if kept.error is None:
            raise OSError(
                f"cannot listen on {host} port {port}; another program does, or the address is not this machine's. "
                f"Choose another, such as --port {port + 1 if port < 65535 else 8000}"
            ) from None
    if isinstance(kept.error, StoreError):
        raise CannotStart(str(kept.error)) from kept.error
    if kept.error is not None:
        raise kept.error
