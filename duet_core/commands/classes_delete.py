"""`duet classes delete`: classes a running service forgets."""

from __future__ import annotations

from collections.abc import Iterator

from duet_core.commands.remote import connect


def run(ids: list[str], *, server: str | None = None, key: str | None = None, space: str = "default") -> Iterator[str]:
    """Delete registered classes of a running service, one after the other; stops at the first that is not there.

    Args:
        ids: ids of classes.
        server: address of the service; default DUET_SERVER, else http://localhost:8000.
        key: API key, where the service asks for one; better kept in DUET_KEY than typed.
        space: the class space.
    """
    with connect(server, key) as duet:
        for class_id in ids:
            yield f"deleted {class_id}, revision {duet.delete_class(class_id, space=space).revision}"
