"""`duet classes import`: the classes of a file for a running service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from duet_core.commands.remote import connect

if TYPE_CHECKING:
    from duet_client import Imported


def run(
    file: Path,
    *,
    server: str | None = None,
    key: str | None = None,
    space: str = "default",
    replace: bool = False,
    json: bool = False,
) -> Iterator[str]:
    """Store the classes of a file in a running service, all of them or none. Says what was stored, or every bad row.

    JSON lines: {"id": …, "label": …, "prompt": …} or "attributes" in place of "prompt". CSV: the columns id, label, and
    prompt or attributes such as "wing color: blue". A line of `duet classes export` is taken as well.

    Args:
        file: a .jsonl or .csv file.
        server: address of the service; default DUET_SERVER, else http://localhost:8000.
        key: API key, where the service asks for one; better kept in DUET_KEY than typed.
        space: the class space.
        replace: replace classes that exist; without it they are bad rows.
        json: print JSON instead of text: the service's answer, or one object a bad row.
    """
    from duet_client import BadRequest, Conflict

    with connect(server, key) as duet:
        try:
            imported = duet.import_classes(file, replace=replace, space=space)
        except (BadRequest, Conflict) as error:
            for row in error.problem.bad_rows:
                yield row.model_dump_json() if json else f"row {row.row}: {row.id or '?'}: {row.message}"
            raise
    yield imported.model_dump_json() if json else "\n".join(_as_text(imported, space))


def _as_text(imported: Imported, space: str) -> Iterator[str]:
    yield f"stored {imported.imported} classes in space {space}, revision {imported.revision}"
    for pair in imported.near_duplicates:
        yield f"  {pair.imported_id} can hardly be told from {pair.class_id} (similarity {pair.similarity:.3f})"
    if not imported.near_duplicates_checked:
        yield "  too many to look for near duplicates"
