"""`duet keys make`: an API key for the service, shown once."""

from __future__ import annotations

from pathlib import Path

from duet_core.commands.key_location import key_file


def run(name: str, *, scopes: str = "classify", file: Path | None = None) -> str:
    """Make an API key, put its hash into the key file and print the key, which cannot be shown again.

    A service that reads the file knows the key at once. To change a key, make another of the same name, hand it out,
    and revoke the old one.

    Args:
        name: who calls, such as camera-3; it goes into the audit log.
        scopes: what the key opens, with commas between, of classify, manage and admin.
        file: the key file; default DUET_API_KEYS. It is made when missing.
    """
    from app.access.key_file import KeyFile, new_key, read_key_file, write_key_file

    path = key_file(file)
    keys = read_key_file(path).keys if path.exists() else ()
    key, entry = new_key(name, [word.strip() for word in scopes.split(",") if word.strip()])
    write_key_file(path, KeyFile(keys=(*keys, entry)))
    return key
