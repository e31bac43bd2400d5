"""Coverage-guided search for request bodies that raise anything but a problem: `make fuzz`.

The first byte says what kind of body the rest is: a form, JSON, or a photo in base64.
"""

from __future__ import annotations

import asyncio
import sys

import atheris

with atheris.instrument_imports(
    include=["app.api.bodies", "app.api.form_photo", "starlette.formparsers", "python_multipart"]
):
    from starlette.requests import Request
    from starlette.types import Message

    from app.api.bodies import json_object, photo_from_base64, read_photo
    from app.problems import Problem
    from app.settings import Settings

SETTINGS = Settings(max_bytes=2**20)
LOOP = asyncio.new_event_loop()


def one_body(data: bytes) -> None:
    """Read one body. Whatever is raised but Problem is a finding."""
    kind, body = data[:1], data[1:]
    try:
        if kind < b"\x56":
            LOOP.run_until_complete(read_photo(form(body), SETTINGS))
        elif kind < b"\xab":
            json_object(body)
        else:
            photo_from_base64(body.decode("latin-1"), SETTINGS)
    except Problem:
        return


def form(body: bytes) -> Request:
    """A form that arrives in two pieces, with the boundary `x`."""
    pieces = [body[: len(body) // 2], body[len(body) // 2 :]]

    async def receive() -> Message:
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    headers = [(b"content-type", b"multipart/form-data; boundary=x"), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "path": "/classify", "headers": headers, "app": None}
    return Request(scope, receive)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_body)
    atheris.Fuzz()
