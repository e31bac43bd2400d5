"""The photo in a form, read in one piece, is what the parser for all forms makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.types import Message

from app.api import form_photo
from app.problems import Problem

BOUNDARY = b"xyz"
HEAD = b'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
TYPE = b"Content-Type: image/jpeg\r\n"
FORM = {"content-type": "multipart/form-data; boundary=xyz"}


def body_of(*parts: bytes, end: bytes = b"--xyz--\r\n") -> bytes:
    """A form of these parts, each with its head."""
    return b"".join(b"--xyz\r\n" + part + b"\r\n" for part in parts) + end


def got(body: bytes) -> bytes:
    """What the service takes for the photo. Raises Problem."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(name.encode(), value.encode()) for name, value in FORM.items()]
    return asyncio.run(form_photo.photo_in_form(Request({"type": "http", "headers": headers}, receive)))


def parsed(body: bytes) -> bytes | None:
    """What Starlette's parser takes for it; None where there is none."""

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    async def read() -> bytes | None:
        form = await MultiPartParser(Headers(FORM), whole(), max_files=1).parse()
        image = form.get("image")
        data = await image.read() if image is not None and not isinstance(image, str) else None
        await form.close()
        return data

    try:
        return asyncio.run(read())
    except MultiPartException:
        return None


PIECES = st.sampled_from(
    [
        HEAD,
        TYPE,
        b"\r\n",
        b"\r",
        b"\n",
        b"--xyz",
        b"--xyz--",
        b"\r\n--xyz",
        b"--",
        b"photo",
        b"\0\xff",
        b"x: y\r\n",
        b": ",
    ]
)


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_a_form_that_is_read_quickly_is_read_alike(inside: bytes) -> None:
    for body in (inside, b"--xyz\r\n" + inside, body_of(HEAD + TYPE + b"\r\n" + inside), body_of(HEAD + inside)):
        quick = form_photo._only_file(body, BOUNDARY)
        assert quick is None or quick == parsed(body)


@pytest.mark.parametrize(
    "body",
    [body_of(HEAD + TYPE + b"\r\nphoto"), body_of(TYPE + HEAD + b"\r\nphoto", end=b"--xyz--")],
    ids=["as curl sends it", "without a last line end"],
)
def test_what_clients_send_is_read_quickly(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_photo, "_any_form", None)
    assert got(body) == b"photo"


def test_a_photo_among_other_fields_is_found() -> None:
    other = b'Content-Disposition: form-data; name="note"\r\n\r\nhello'
    assert (
        got(body_of(other, HEAD + b"\r\n" + b"p" * 2_000_000)) == b"p" * 2_000_000
    )  # more than Starlette keeps in memory


def test_a_large_photo_is_not_written_to_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", lambda _: pytest.fail("written to the disk"))
    other = b'Content-Disposition: form-data; name="note"\r\n\r\nhello'
    assert len(got(body_of(HEAD + b"\r\n" + b"p" * 2_000_000, other))) == 2_000_000


@pytest.mark.parametrize(
    ("body", "slug", "got_instead"),
    [
        (b"no form", "bad-request", None),
        (body_of(HEAD + b"\r\nphoto", HEAD + b"\r\nphoto"), "bad-request", None),
        (body_of(HEAD.replace(b"image", b"file", 1) + b"\r\nphoto"), "no-image", ["file"]),
        (body_of(HEAD.replace(b'; filename="a.jpg"', b"") + b"\r\nphoto"), "no-image", ["image"]),
    ],
    ids=["not a form", "two files", "another field", "a text"],
)
def test_other_forms_say_what_is_wrong(body: bytes, slug: str, got_instead: list[str] | None) -> None:
    with pytest.raises(Problem) as caught:
        got(body)
    assert caught.value.slug == slug
    assert caught.value.members.get("got") == got_instead
