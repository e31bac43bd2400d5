"""How commands reach a running service."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # httpx is imported when a service is asked: help needs none
    from duet_client import DuetClient

DEFAULT = "http://localhost:8000"


def connect(server: str | None, key: str | None) -> DuetClient:
    """A client of the server given, else of DUET_SERVER, else of localhost:8000; likewise the key, and DUET_KEY."""
    from duet_client import DuetClient

    address = server or os.environ.get("DUET_SERVER") or DEFAULT
    return DuetClient(address, key=key or os.environ.get("DUET_KEY") or None)
