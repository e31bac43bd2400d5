"""From the setting `store` to the store it names."""

from __future__ import annotations

from pathlib import Path

from app.registry.redis import RedisStore, connect
from app.registry.sqlite import SqliteStore
from app.settings import Settings


def open_store(settings: Settings) -> SqliteStore | RedisStore:
    """The store named by ``DUET_STORE``; nothing is contacted yet."""
    scheme, _, rest = settings.store.partition("://")
    if scheme == "sqlite":
        return SqliteStore(Path(rest.removeprefix("/")), timeout=settings.store_timeout_seconds)
    return RedisStore(connect(settings.store, timeout=settings.store_timeout_seconds))
