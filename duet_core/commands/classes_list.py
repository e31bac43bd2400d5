"""`duet classes list`: what a running service can recognise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from duet_core.commands.remote import connect

Which = Literal["all", "seen", "registered"]


def run(
    *,
    server: str | None = None,
    key: str | None = None,
    space: str = "default",
    which: Which = "registered",
    json: bool = False,
) -> Iterator[str]:
    """List the classes of a running service: id, label, and how each was described.

    Args:
        server: address of the service; default DUET_SERVER, else http://localhost:8000.
        key: API key, where the service asks for one; better kept in DUET_KEY than typed.
        space: the class space.
        which: the classes registered, the seen ones of the bundle, or all.
        json: print one JSON object a class instead of text.
    """
    seen = {"all": None, "seen": True, "registered": False}[which]
    with connect(server, key) as duet:
        for found in duet.classes(seen=seen, space=space):
            yield found.model_dump_json() if json else f"{found.id:<40} {found.kind:<8} {found.label}"
