"""Fixtures of the scenarios: the tiny bundle, and services that are stopped after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.server import HeldServer, Server
from tests.tiny_bundle import write_tiny_bundle

StartServer = Callable[..., Server]


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the bundle of tests/tiny_bundle.py."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture
def serve(tiny_bundle: Path, tmp_path: Path) -> Iterator[StartServer]:
    """Starts services on the tiny bundle; `held=True` for one whose model can be held back."""
    running: list[Server] = []

    def begin(*, held: bool = False, wait: str = "/readyz", **settings: Any) -> Server:
        kind = HeldServer if held else Server
        running.append(kind(tmp_path, **({"bundle": tiny_bundle} | settings)))
        running[-1].start(wait=wait)
        return running[-1]

    yield begin
    for service in running:
        if isinstance(service, HeldServer):
            service.say("")
        service.close()
