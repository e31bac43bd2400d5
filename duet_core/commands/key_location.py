"""Which key file a command works on when none is named."""

from __future__ import annotations

import os
from pathlib import Path


def key_file(given: Path | None) -> Path:
    """The file given, else that of the environment variable DUET_API_KEYS. Raises ValueError when there is neither."""
    named = given or os.environ.get("DUET_API_KEYS")
    if not named:
        raise ValueError("no key file: name one with --file duet-keys.json, or in DUET_API_KEYS as for the service")
    return Path(named)
