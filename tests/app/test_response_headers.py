"""The headers of every sort of answer, and what /docs may run."""

from __future__ import annotations

import base64
import hashlib
import re
import signal
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.response_headers import DEFAULTS
from app.settings import Settings
from tests.app.test_serve_command import begin
from tests.redis_process import free_port
from tests.tiny_bundle import picture_bytes

PHOTO = {"image": ("photo.png", picture_bytes("red"), "image/png")}


@pytest.mark.parametrize(
    "path", ["/livez", "/classes", "/model", "/openapi.json", "/nowhere", "/metrics", "/v2", "/x/%2e%2e"]
)
def test_answers_are_neither_kept_nor_framed_nor_guessed(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert {name: answer.headers.get(name) for name in DEFAULTS} == DEFAULTS


def test_photos_and_errors_of_photos_too(client: httpx.Client) -> None:
    for answer in (
        client.post("/classify", files=PHOTO),
        client.post("/classify"),
        client.post("/explain/map", files=PHOTO),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_pages_keep_their_own_policy(client: httpx.Client) -> None:
    for path in ("/", "/docs"):
        answer = client.get(path)
        assert answer.headers.get_list("content-security-policy") != [DEFAULTS["Content-Security-Policy"]]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-frame-options"] == "DENY"
    (script,) = re.findall(r'src="(assets/[^"]+js)"', client.get("/").text)
    assert "immutable" in client.get(script).headers["cache-control"]


def test_docs_run_no_script_but_those_meant(client: httpx.Client) -> None:
    page = client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self' 'sha256-" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    (start,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(start.encode()).digest()).decode()}'" in policy


def test_an_error_nobody_foresaw_has_them_too() -> None:
    app = create_app(Settings())

    async def broken() -> None:
        raise RuntimeError("nobody foresaw this")

    app.add_api_route("/broken", broken)
    answer = TestClient(app, raise_server_exceptions=False).get("/broken")
    assert {name: answer.headers.get(name) for name in DEFAULTS} == DEFAULTS


def test_the_server_does_not_say_what_it_is(tiny_bundle: Path, tmp_path: Path) -> None:
    port = free_port()
    options = ("--bundle", str(tiny_bundle), "--store", f"sqlite:///{tmp_path}/c.sqlite", "--port", str(port))
    with begin(tmp_path, *options) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()
            headers = httpx.get(f"http://127.0.0.1:{port}/livez").headers
        finally:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert "server" not in headers
    assert "x-powered-by" not in headers
