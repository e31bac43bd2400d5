"""Fixtures of the service's tests: a tiny bundle and a real Redis."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.redis_process import RedisProcess
from tests.service_process import ServiceProcess
from tests.tiny_bundle import write_tiny_bundle


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the bundle of tests/tiny_bundle.py; read-only by agreement."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """One Redis server for all tests that do not stop it."""
    server = RedisProcess(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisProcess]:
    """A Redis server of one test, which writes every command to disk before it answers."""
    server = RedisProcess(tmp_path, append_only=True)
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/classes.sqlite"
    server: RedisProcess = request.getfixturevalue("own_redis")
    return server.url


@pytest.fixture(scope="session")
def service(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """One service on SQLite for all tests that do not stop it; each test uses class spaces of its own."""
    folder = tmp_path_factory.mktemp("service")
    running = ServiceProcess(folder, bundle=tiny_bundle, store=f"sqlite:///{folder}/classes.sqlite")
    yield running.start()
    running.close()


@pytest.fixture
def client(service: ServiceProcess) -> httpx.Client:
    """Talks to `service`."""
    return service.client


@pytest.fixture
def space() -> str:
    """A class space no other test uses."""
    return f"space-{uuid.uuid4().hex[:12]}"
