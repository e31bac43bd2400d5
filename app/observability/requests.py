"""Every request has an id, in its answer and in every line about it, and one line in the access log when it ends."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.request_record import RequestRecord, begin
from app.observability.routes import route_of
from app.observability.telemetry import Telemetry

log = logging.getLogger("duet.access")

PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""Left out of the access log when they were answered: they come every few seconds and would hide what people ask."""
HEADER = "X-Request-ID"
LONGEST_PATH = 200


class FollowRequests:
    """ASGI middleware, the outermost: names each request and writes its line when it has been answered.

    The line has the path without its query, which may hold what is nobody's business, and the name of the key.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = RequestRecord.of(Headers(scope=scope))
        begin(record)
        telemetry: Telemetry | None = scope["app"].state.telemetry
        end = telemetry.begin(scope, record) if telemetry is not None and scope["path"] not in PROBES else None
        status, arrived, sent, start = 500, 0, 0, time.perf_counter()

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            return message

        async def watch(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = record.id
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counted, watch)
        finally:
            if end is not None:
                end(scope, status)
            if status >= 400 or scope["path"] not in PROBES:
                _write(scope, record, status, time.perf_counter() - start, bytes_in=arrived, bytes_out=sent)


def _write(scope: Scope, record: RequestRecord, status: int, seconds: float, **sizes: int) -> None:
    if not log.isEnabledFor(logging.INFO):
        return
    path = str(scope["path"])[:LONGEST_PATH]
    fields = {
        "method": scope["method"],
        "path": path,
        "route": route_of(scope),
        "status": status,
        "duration_ms": round(1000 * seconds, 2),
        **sizes,
        "client": (scope.get("client") or ("",))[0],
        "key": scope.get("state", {}).get("actor") or "",
        "decision": ",".join(record.decisions),
    }
    extra = {name: value for name, value in fields.items() if value != ""}
    told = " ".join(f"{name}={extra[name]}" for name in ("key", "decision") if name in extra)
    line = f"{scope['method']} {path} {status} in {1000 * seconds:.1f} ms {told}".rstrip()
    log.info("%s", line, extra=extra)
