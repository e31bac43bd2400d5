"""The log of a real service: a line for each request, and nothing in it that was shown in confidence."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from duet_core.cli import main
from tests.service_process import ServiceProcess
from tests.tiny_bundle import picture_bytes

COMMENT = b"bytes-of-a-photo-nobody-else-may-see"
QUERY = "secret-of-the-query"


def wait_for_log(service: ServiceProcess, text: str) -> None:
    """Return when the log has this text."""
    deadline = time.monotonic() + 30
    while text not in service.log:
        assert time.monotonic() < deadline, f"{text!r} is not in\n{service.log}"
        time.sleep(0.02)


class Keyed:
    """A service with one key, its log as objects."""

    def __init__(self, folder: Path, bundle: Path, key: str, **settings: Any) -> None:
        self.key = key
        self.service = ServiceProcess(
            folder,
            bundle=bundle,
            store=f"sqlite:///{folder}/classes.sqlite",
            api_keys=folder / "keys.json",
            **settings,
        )

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.service.log.splitlines()]

    def about(self, request_id: str) -> list[dict[str, Any]]:
        """The lines of a request; the last is written right after its answer, so it is waited for."""
        wait_for_log(self.service, request_id)
        return [line for line in self.lines if line.get("request_id") == request_id]

    def post(self, path: str, body: bytes, *, kind: str = "image/png", **headers: str) -> httpx.Response:
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": kind} | headers
        return self.service.client.post(path, content=body, headers=given)


@pytest.fixture
def keyed(tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Keyed]:
    assert main(["keys", "make", "app", "--scopes", "classify,manage", "--file", str(tmp_path / "keys.json")]) == 0
    running = Keyed(tmp_path, tiny_bundle, capsys.readouterr().out.strip())
    running.service.start()
    yield running
    running.service.close()


def photo() -> bytes:
    """A PNG with a text chunk's worth of recognisable bytes after its end, as cameras and editors leave."""
    return picture_bytes("red") + COMMENT


def test_a_photo_is_one_line_with_its_decision(keyed: Keyed) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-ID": "r-1", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = keyed.post("/spaces/default/classify?top_k=2", photo(), **headers)
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, "r-1")
    (line,) = keyed.about("r-1")
    assert line.pop("time") < line.pop("message") + "~"  # both there
    assert 0 < line.pop("duration_ms") < 60_000
    word = "accepted" if answer.json()["decision"]["accepted"] else "rejected"
    assert line == {
        "level": "INFO",
        "logger": "duet.access",
        "method": "POST",
        "path": "/spaces/default/classify",
        "route": "/spaces/{space}/classify",
        "status": 200,
        "bytes_in": len(photo()),
        "bytes_out": len(answer.content),
        "client": "127.0.0.1",
        "key": "app",
        "decision": word,
        "request_id": "r-1",
        "trace_id": trace,
    }
    counted = 'duet_requests_total{method="POST",route="/spaces/{space}/classify",status="200"} 1.0'
    assert counted in keyed.service.client.get("/metrics").text


def test_an_error_names_the_request_as_its_line_does(keyed: Keyed) -> None:
    made = keyed.post("/classify", b"no photo at all", **{"X-Request-ID": "not well-formed"})
    known = made.json()["request_id"]
    assert made.headers["X-Request-ID"] == known
    assert re.fullmatch("[0-9a-f]{32}", known)
    assert [line["status"] for line in keyed.about(known)] == [415]
    refused = keyed.service.client.post("/classify", headers={"X-Request-ID": "r-2"})
    assert (refused.status_code, refused.json()["request_id"]) == (401, "r-2")
    (line,) = keyed.about("r-2")
    assert "key" not in line


def test_nothing_confidential_is_in_the_log(keyed: Keyed) -> None:
    wrong = {"Authorization": "Bearer duet_wrong-key-that-was-shown"}
    keyed.post(f"/classify?token={QUERY}&space=%0Aforged", photo())
    keyed.post("/classify", picture_bytes("red")[:60] + COMMENT)
    keyed.post("/classify", COMMENT, kind="text/plain")
    keyed.post("/classes", b'{"id": "x", "label": "' + COMMENT + b'", "attributes": 3}', kind="application/json")
    keyed.post("/nowhere/%0A%7Bforged%7D", COMMENT, **wrong)
    wait_for_log(keyed.service, "{forged}")
    log = keyed.service.log
    assert len(keyed.lines) >= 5 + 1
    assert keyed.lines[-1]["path"] == "/nowhere/\n{forged}"
    for secret in (COMMENT.decode(), QUERY, keyed.key, "wrong-key", COMMENT.hex()[:16]):
        assert secret not in log


def test_answered_probes_have_no_line_and_failed_ones_have(keyed: Keyed) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert keyed.service.client.get(path, headers={"X-Request-ID": "r-3"}).headers["X-Request-ID"] == "r-3"
    assert keyed.service.client.post("/livez", headers={"X-Request-ID": "r-4"}).status_code == 405
    assert len(keyed.about("r-4")) == 1
    assert "r-3" not in keyed.service.log
    assert not [line for line in keyed.lines if line["logger"] == "uvicorn.access"]
    assert any(line["message"].startswith("ready: bundle tiny") for line in keyed.lines)


def test_people_get_text(tmp_path: Path, tiny_bundle: Path) -> None:
    store = f"sqlite:///{tmp_path}/classes.sqlite"
    service = ServiceProcess(tmp_path, bundle=tiny_bundle, store=store, log_format="text").start()
    try:
        service.client.get("/classes", headers={"X-Request-ID": "r-5"})
        wait_for_log(service, "[r-5]")
        assert re.search(r"(?m)^\S+Z INFO duet\.access \[r-5\] GET /classes 200 in [\d.]+ ms", service.log)
    finally:
        service.close()
