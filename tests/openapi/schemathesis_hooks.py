"""What schemathesis cannot know of this API: photos, files of classes, names that exist, and what a 503 must say."""

from __future__ import annotations

import io
from typing import Any

import schemathesis
from hypothesis import strategies as st
from PIL import Image

DELIBERATE = {"revision-not-reached", "store-unavailable", "overloaded", "deadline-exceeded"}
"""Problems that a 503 may be."""
SPACES = ("default", "made")
KNOWN = {"class_id": ("red-bird", "green-bird"), "space": SPACES, "name": SPACES, "model": ("tiny",)}
"""Names that exist, or come to exist; drawn ones hardly ever do."""


def _photo(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 30, 40)).save(buffer, format=kind)
    return buffer.getvalue()


for _type, _format in (("image/jpeg", "JPEG"), ("image/png", "PNG"), ("image/webp", "WEBP")):
    _whole = _photo(_format)
    _made = st.sampled_from([_whole, _whole[:99], b""])
    schemathesis.openapi.media_type(_type, st.one_of(_made, st.binary(max_size=99)))
schemathesis.openapi.format("binary", st.sampled_from([_photo("PNG"), b"", b"GIF89a"]))


@schemathesis.serializer("application/x-ndjson")
def lines(_context: Any, value: Any) -> Any:
    """A file of classes goes out as it was drawn."""
    return {"data": value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")}


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Half of the names drawn become ones that exist: by their length, so that a seed gives the same cases again."""
    if path_parameters is None:
        return None
    return {
        name: KNOWN[name][len(str(value)) % len(KNOWN[name])] if name in KNOWN and len(str(value)) % 4 < 2 else value
        for name, value in path_parameters.items()
    }


@schemathesis.check
def deliberate_503(_context: Any, response: Any, _case: Any) -> None:
    """A 503 says what is away and when to come back."""
    if response.status_code == 503:
        slug = response.json()["type"].rpartition("/")[2]
        assert slug in DELIBERATE, f"503 with {slug}"
        assert int(response.headers["retry-after"][0]) >= 1
