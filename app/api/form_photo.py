"""The photo in a form, taken out of the body in one piece: no copy on the disk, no way to a thread and back."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

from python_multipart.multipart import parse_options_header
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from app.problems import Problem

MOST_FILES, MOST_FIELDS, MOST_FIELD_BYTES = 1, 16, 65_536
FIELD = "image"

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}"
_HEAD = re.compile(rb"(?:%b:[ -~]{0,512}\r\n){1,4}\r\n" % _TOKEN)
_LINE = re.compile(rb"(%b):[ ]*([ -~]*)\r\n" % _TOKEN)


async def photo_in_form(request: Request) -> bytes:
    """The bytes of the file in the form's field ``image``.

    Raises Problem: bad-request for a body that is no form, no-image for one without such a file.
    """
    body = await request.body()
    _, options = parse_options_header(request.headers["content-type"])
    only = _only_file(body, options.get(b"boundary", b""))
    return only if only is not None else await _any_form(request, body)


def _only_file(body: bytes, boundary: bytes) -> bytes | None:
    """The file of a form that has nothing else, as nearly all have; None for a form of any other shape.

    The parser for all shapes looks at every byte for which a boundary might begin, several times a kilobyte of photo.
    """
    opening, closing = b"--%b\r\n" % boundary, b"\r\n--%b--" % boundary
    if not boundary or not body.startswith(opening):
        return None
    head = _HEAD.match(body, len(opening))
    end = body.find(closing[:-2], head.end() if head else 0)
    if head is None or end < 0 or body[end : end + len(closing) + 3] not in (closing, closing + b"\r\n"):
        return None
    told = [value for name, value in _LINE.findall(head.group()) if name.lower() == b"content-disposition"]
    if len(told) != 1:
        return None
    _, options = parse_options_header(told[0])
    return body[head.end() : end] if options.get(b"name") == FIELD.encode() and b"filename" in options else None


async def _any_form(request: Request, body: bytes) -> bytes:
    async def whole() -> AsyncGenerator[bytes]:
        yield body

    parser = MultiPartParser(
        request.headers, whole(), max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=MOST_FIELD_BYTES
    )
    parser.spool_max_size = len(body) + 1  # photos stay off the disk
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem("bad-request", f"The multipart body cannot be read: {error.message}") from None
    try:
        image = form.get(FIELD)
        if image is not None and not isinstance(image, str):
            return await image.read()
        fields = {"got": sorted(form.keys()), "allowed": [FIELD], "example": "curl -F image=@photo.jpg …"}
        raise Problem("no-image", f"The form has no file in a field named '{FIELD}'.", fields)
    finally:
        await form.close()
