"""No body larger than the limit is ever held: counted as it arrives, before anything parses it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import Problem


class LimitBodies:
    """ASGI middleware. A Content-Length above `most` bytes is answered at once, others are counted on the stream.

    Files of classes, sent to a path that ends in /import, may have `most_imported` bytes.
    """

    def __init__(self, app: ASGIApp, most: int, most_imported: int) -> None:
        self._app = app
        self._most = most
        self._most_imported = most_imported

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most_imported if scope["path"].endswith("/import") else self._most
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > most:
            problem = _too_large(f"{int(declared)} bytes announced", most)
            await problem.response(scope["path"])(scope, receive, send)
            return
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > most:
                raise _too_large(f"more than {most} bytes", most)
            return message

        await self._app(scope, counted, send)


def _too_large(got: str, most: int) -> Problem:
    # The rest of the body is unread, so the connection cannot carry another request.
    return Problem(
        "body-too-large",
        f"The body is larger than {most} bytes.",
        {"got": got, "allowed": f"{most} bytes"},
        {"Connection": "close"},
    )
