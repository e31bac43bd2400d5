"""From the settings to the store they name, and to the copies of it on this machine."""

from __future__ import annotations

from pathlib import Path

from app.registry.copies import Copies
from app.registry.redis import RedisStore
from app.registry.redis_client import connect
from app.registry.sqlite import SqliteStore
from app.settings import Settings


def open_store(settings: Settings) -> SqliteStore | RedisStore:
    """The store named by ``DUET_STORE``; nothing is contacted yet."""
    scheme, _, rest = settings.store.partition("://")
    if scheme == "sqlite":
        return SqliteStore(Path(rest.removeprefix("/")), timeout=settings.store_timeout_seconds)
    return RedisStore(connect(settings.store, timeout=settings.store_timeout_seconds))


def open_copies(settings: Settings) -> Copies | None:
    """Where snapshots are kept over a restart; a SQLite file is on this machine already and needs no copy."""
    if settings.snapshots is None or settings.store.startswith("sqlite"):
        return None
    return Copies(settings.snapshots)
