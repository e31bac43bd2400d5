"""The middleware alone: what reaches the routes behind it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from app.access.guard import RequireKey
from app.access.key_file import KeyFile, new_key, write_key_file
from app.access.keyring import Keyring


def ask(ring: Keyring | None, path: str, headers: dict[str, str], root_path: str = "") -> httpx.Response:
    app = FastAPI()

    @app.get("/classes")
    @app.get("/livez")
    async def actor(request: Request) -> Any:
        return request.state.actor

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(RequireKey(app, ring), root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(get())


@pytest.fixture
def key(tmp_path: Path) -> str:
    key, entry = new_key("curator", ["manage"])
    write_key_file(tmp_path / "keys.json", KeyFile(keys=(entry,)))
    return key


def test_the_keys_name_is_the_actor(key: str, tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys.json")
    for headers in ({"Authorization": f"Bearer {key}"}, {"authorization": f"bearer  {key}"}, {"X-API-Key": key}):
        assert ask(ring, "/classes", headers).json() == "curator"
    assert ask(ring, "/livez", {}).json() is None
    assert ask(ring, "/classes", {}).status_code == 401
    assert ask(None, "/classes", {}).json() is None


def test_a_prefix_that_a_proxy_adds_changes_nothing(key: str, tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys.json")
    assert ask(ring, "/birds/livez", {}, root_path="/birds").status_code == 200
    assert ask(ring, "/birds/classes", {}, root_path="/birds").status_code == 401
    assert ask(ring, "/birds/classes", {"X-API-Key": key}, root_path="/birds").json() == "curator"
