"""How both clients connect."""

from __future__ import annotations

from typing import Any

DEFAULT_SPACE = "default"
TIMEOUT = 30.0
"""Seconds to wait for a connection and between two parts of an answer."""

PAGE = 1000
"""Classes to a page; the most the service gives."""


def options(server: str, key: str | None, timeout: float) -> dict[str, Any]:
    """The arguments of httpx's clients. Raises ValueError for an address or a key that cannot be one."""
    if not server.startswith(("http://", "https://")):
        raise ValueError(f"got server {server!r}; an address is such as 'http://localhost:8000'")
    if key is not None and not (key.isascii() and key.isprintable() and key.strip() == key != ""):
        raise ValueError("the API key has characters no key has; paste it without spaces, quotes and line ends")
    headers = {"Accept": "application/json", "User-Agent": "duet-client"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    return {"base_url": server, "headers": headers, "timeout": timeout}
