"""Both stores, opened as another process would, and a class space of the test's own."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from app.registry.redis import RedisStore
from app.registry.redis_client import connect
from app.registry.sqlite import SqliteStore
from tests.app.registry.stores import OpenStore
from tests.redis_process import RedisProcess

numbers = itertools.count()


@pytest.fixture(params=["sqlite", "redis"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    """Opens the same store anew each time it is called; keyword arguments are those of the store."""
    if request.param == "sqlite":
        return lambda **limits: SqliteStore(tmp_path / "classes.sqlite", timeout=10.0, **limits)
    server: RedisProcess = request.getfixturevalue("redis_server")
    return lambda **limits: RedisStore(connect(server.url, timeout=5.0), **limits)


@pytest.fixture
def space() -> str:
    """A class space no other test uses."""
    return f"space-{next(numbers)}"
