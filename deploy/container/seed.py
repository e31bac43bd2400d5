"""Put the demo's classes into a service whose default class space was never written to; else leave it as it is.

All classes are one import, so an interrupted one leaves nothing half done, and a class that somebody deleted or
changed does not come back with the next start. Reads DUET_SERVER and DUET_KEY.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from duet_client import Conflict, DuetClient


def seed(duet: DuetClient, file: Path) -> str:
    """Import the classes of a file when nothing was ever registered; returns what happened, in words."""
    space = duet.get_space("default")
    if space.revision > 0:
        return f"the registry is in use ({space.classes} classes, revision {space.revision}): nothing seeded"
    try:
        imported = duet.import_classes(file)
    except Conflict:  # another seed was faster
        return "the classes are there already: nothing seeded"
    return f"seeded {imported.imported} classes, revision {imported.revision}"


def main(file: Path) -> None:
    """Seed the service at DUET_SERVER and say what happened."""
    server = os.environ.get("DUET_SERVER", "http://localhost:8000")
    with DuetClient(server, key=os.environ.get("DUET_KEY") or None) as duet:
        sys.stdout.write(f"{seed(duet, file)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
