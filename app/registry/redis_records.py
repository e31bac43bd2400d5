"""How a class and a change of it look in Redis: hash fields, and strings each after its length."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, cast

from app.registry.store import ABSENT, ANY, PRESENT, Change, ClassRecord, Drop, StoreRefused

FIELDS = (
    *("id", "label", "kind", "degrees", "schema", "detail", "expires_at"),
    *("created_at", "updated_at", "version", "rev", "state"),
)
"""Fields of a class's hash, in the order in which lua/page.lua reads them and lua/write.lua remembers them."""
NEEDED = ("id", "label", "kind", "degrees", "schema", "detail", "created_at", "rev")
"""The others have come later."""


def packed_change(change: Change) -> bytes:
    """The nine strings that lua/write.lua unpacks."""
    expect = {ANY: "", ABSENT: "0", PRESENT: "+"}.get(change.expect, str(change.expect))
    if isinstance(change, Drop):
        return _packed("drop", change.id, expect, "", "", b"", "", "", "")
    record = change.record
    expires = "" if record.expires_at is None else repr(record.expires_at)
    texts = (record.label, record.kind, record.degrees, record.schema, record.detail_json, expires)
    return _packed("put", record.id, expect, *texts)


def record_of(values: Sequence[bytes | None]) -> ClassRecord:
    """The record of a hash's fields in the order of FIELDS. Raises StoreRefused for a hash that is none of ours."""
    given = dict(zip(FIELDS, values, strict=True))
    missing = [name for name in NEEDED if given[name] is None]
    if missing:
        raise StoreRefused(f"Redis holds a class without {', '.join(missing)}; its keys were written by something else")
    text = {name: (value or b"").decode() for name, value in given.items() if name != "degrees"}
    return ClassRecord(
        id=text["id"],
        label=text["label"],
        kind=cast("Any", text["kind"]),
        degrees=given["degrees"] or b"",
        schema=text["schema"],
        detail_json=text["detail"],
        expires_at=float(text["expires_at"]) if text["expires_at"] else None,
        created_at=text["created_at"],
        updated_at=text["updated_at"] or text["created_at"],
        version=int(text["version"] or 1),
        revision=int(text["rev"]),
        deleted=text["state"] == "deleted",
    )


def records_of(data: bytes) -> Iterator[ClassRecord]:
    """Records packed one after the other, as lua/write.lua remembers what it replaced."""
    values: list[bytes | None] = []
    place = 0
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        values.append(data[place + 4 : place + 4 + length])
        place += 4 + length
        if len(values) == len(FIELDS):
            yield record_of(values)
            values = []


def _packed(*strings: str | bytes) -> bytes:
    data = [string if isinstance(string, bytes) else string.encode() for string in strings]
    return b"".join(struct.pack(">I", len(part)) + part for part in data)
