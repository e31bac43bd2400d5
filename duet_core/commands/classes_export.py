"""`duet classes export`: the registered classes of a running service as a file."""

from __future__ import annotations

from pathlib import Path

from duet_core.commands.remote import connect


def run(file: Path, *, server: str | None = None, key: str | None = None, space: str = "default") -> str:
    """Write the registered classes of a running service, at one revision, to a file `duet classes import` reads.

    Args:
        file: a .jsonl or .csv file; one that exists is replaced when all classes are read.
        server: address of the service; default DUET_SERVER, else http://localhost:8000.
        key: API key, where the service asks for one; better kept in DUET_KEY than typed.
        space: the class space.
    """
    from duet_client.descriptions import file_kind

    kind = file_kind(file)
    with connect(server, key) as duet:
        data = duet.export_classes(kind=kind, space=space)
    draft = file.with_name(f".{file.name}.part")
    try:
        draft.write_bytes(data)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return f"space {space} written to {file}, {len(data)} bytes"
