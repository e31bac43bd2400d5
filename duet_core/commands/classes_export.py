"""`duet classes export`: the registered classes of a running service as a file."""

from __future__ import annotations

from pathlib import Path

from duet_core.commands.remote import connect


def run(file: Path, *, server: str | None = None, key: str | None = None, space: str = "default") -> str:
    """Write the registered classes of a running service to a file that `duet classes import` reads.

    A class that was described by a sentence is written as that sentence, another by the degrees of all attributes.

    Args:
        file: a .jsonl or .csv file; one that exists is replaced when all classes are read.
        server: address of the service; default DUET_SERVER, else http://localhost:8000.
        key: API key, where the service asks for one; better kept in DUET_KEY than typed.
        space: the class space.
    """
    from duet_client import write_rows

    with connect(server, key) as duet:
        return f"{write_rows(file, duet.export_classes(space=space))} classes written to {file}"
