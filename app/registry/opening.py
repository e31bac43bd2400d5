"""From the settings to the store they name, and to the copies of it on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.registry.copies import Copies
from app.registry.sqlite import SqliteStore
from app.settings import Settings

if TYPE_CHECKING:
    from app.registry.redis import RedisStore


def open_store(settings: Settings) -> SqliteStore | RedisStore:
    """The store named by ``DUET_STORE``; nothing is contacted yet.

    Redis's client is loaded only for Redis: it takes a fifth of the time in which the service starts.
    """
    scheme, _, rest = settings.store.partition("://")
    if scheme == "sqlite":
        return SqliteStore(Path(rest.removeprefix("/")), timeout=settings.store_timeout_seconds)
    from app.registry.redis import RedisStore
    from app.registry.redis_client import connect

    return RedisStore(connect(settings.store, timeout=settings.store_timeout_seconds))


def open_copies(settings: Settings, schema: str) -> Copies | None:
    """Where snapshots are kept over a restart, apart for each store and schema, so that none stands in for another.

    A SQLite file is on this machine already and needs no copy.
    """
    if settings.snapshots is None or settings.store.startswith("sqlite"):
        return None
    where = urlsplit(settings.store)
    name = f"{where.hostname}:{where.port or 6379}{where.path or '/0'}"  # without the password
    return Copies(settings.snapshots / hashlib.sha256(name.encode()).hexdigest()[:12] / schema)
