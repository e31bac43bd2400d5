"""`duet keys list`: what is in a key file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from duet_core.commands.key_location import key_file


def run(*, file: Path | None = None) -> Iterator[str]:
    """List the keys of a key file: id, name, scopes, and when each was made.

    Args:
        file: the key file; default DUET_API_KEYS.
    """
    from app.access.key_file import read_key_file

    for entry in read_key_file(key_file(file)).keys:
        yield f"{entry.id}  {entry.name:<20} {','.join(sorted(entry.scopes)):<24} {entry.created_at or ''}".rstrip()
