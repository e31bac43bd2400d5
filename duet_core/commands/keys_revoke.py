"""`duet keys revoke`: keys that open nothing any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from duet_core.commands.key_location import key_file


def run(id: str, *, file: Path | None = None) -> Iterator[str]:
    """Take a key out of the key file. A service that reads the file refuses it from the next request on.

    Args:
        id: the id that `duet keys list` shows.
        file: the key file; default DUET_API_KEYS.
    """
    from app.access.key_file import KeyFile, read_key_file, write_key_file

    path = key_file(file)
    keys = read_key_file(path).keys
    kept = tuple(entry for entry in keys if entry.id != id)
    if len(kept) == len(keys):
        known = ", ".join(f"{entry.id} ({entry.name})" for entry in keys) or "none"
        raise ValueError(f"no key {id!r} in {path}; there are {known}")
    write_key_file(path, KeyFile(keys=kept))
    yield from (f"revoked {entry.id} ({entry.name})" for entry in keys if entry.id == id)
