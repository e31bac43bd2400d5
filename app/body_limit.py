"""No body larger than the limit is ever held: counted as it arrives, before anything parses it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import Problem


class LimitBodies:
    """ASGI middleware. A Content-Length above `most` bytes is answered at once, others are counted on the stream."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._most:
            problem = self._too_large(f"{int(declared)} bytes announced")
            await problem.response(scope["path"])(scope, receive, send)
            return
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > self._most:
                raise self._too_large(f"more than {self._most} bytes")
            return message

        await self._app(scope, counted, send)

    def _too_large(self, got: str) -> Problem:
        # The rest of the body is unread, so the connection cannot carry another request.
        return Problem(
            "body-too-large",
            f"The body is larger than {self._most} bytes.",
            {"got": got, "allowed": f"{self._most} bytes"},
            {"Connection": "close"},
        )
