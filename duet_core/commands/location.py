"""Which bundle a command works on when none is named."""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT = Path("models/birds")


def bundle_folder(given: Path | None) -> Path:
    """The folder given, else that of the environment variable DUET_BUNDLE, else `models/birds`."""
    return given or Path(os.environ.get("DUET_BUNDLE") or DEFAULT)
