"""The small programs of the images: is it ready, seed the demo, ask for a while."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from deploy.container import load, ready, seed
from deploy.proxy import alive
from duet_client import DuetClient
from tests.deploy.deploy_files import DEPLOY, ROOT
from tests.redis_process import free_port
from tests.service_process import ServiceProcess

CLASSES = DEPLOY / "container/classes.jsonl"


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    """A server on the port it gives, that answers every GET alike."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "code", "told"),
    [
        (200, b'{"status": "ready"}', 0, "200: ready"),
        (503, b'{"status": 503, "detail": "loading"}', 1, "503: loading"),
        (200, b"another program", 1, "no answer from"),
    ],
)
def test_health(capsys: pytest.CaptureFixture[str], status: int, body: bytes, code: int, told: str) -> None:
    with answering(status, body) as port:
        assert ready.main(port) == code
    assert capsys.readouterr().out.startswith(told)


def test_health_of_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert ready.main(port) == 1
    assert alive.main(f"http://127.0.0.1:{port}/ready") == 1
    assert capsys.readouterr().out.count(str(port)) == 2


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_health_of_the_proxy(status: int, code: int) -> None:
    with answering(status, b"") as port:
        assert alive.main(f"http://127.0.0.1:{port}/ready") == code


def test_the_demo_s_classes_are_new_to_the_demo_s_bundle_and_fit_it(tmp_path: Path) -> None:
    """By sentence, by named attributes and by vector; none is a class the model was trained on, or near one."""
    rows = [json.loads(line) for line in CLASSES.read_text().splitlines()]
    assert {type(row.get("prompt", row.get("attributes"))) for row in rows} == {str, dict, list}
    settings = Settings(bundle=ROOT / "models/birds", store=f"sqlite:///{tmp_path}/c.sqlite")
    with TestClient(create_app(settings)) as client:
        media = {"Content-Type": "application/x-ndjson"}
        answer = client.post("/import", content=CLASSES.read_bytes(), headers=media)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "imported": len(rows),
            "revision": 1,
            "near_duplicates": [],
            "near_duplicates_checked": True,
        }
        for row in rows:
            assert client.get(f"/classes/{row['id']}").json()["seen"] is False


@pytest.mark.slow
def test_seeding_fills_an_empty_registry_once_and_leaves_one_in_use_alone(tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path, bundle=ROOT / "models/birds", store=f"sqlite:///{tmp_path}/c.sqlite")
    try:
        service.start()
        with DuetClient(f"http://127.0.0.1:{service.port}") as duet:
            assert seed.seed(duet, CLASSES) == "seeded 5 classes, revision 1"
            duet.delete_class("mallard", if_match=None)
            assert seed.seed(duet, CLASSES) == "the registry is in use (4 classes, revision 2): nothing seeded"
            assert "mallard" not in {found.id for found in duet.classes(seen=False)}
        report = load.run(f"http://127.0.0.1:{service.port}", None, seconds=1, clients=2)
    finally:
        service.close()
    assert report.unanswered == report.broken == 0
    assert len(report.times) >= 2
    assert report.summary(1.0)["answered"] == len(report.times)


def test_a_photo_that_is_not_answered_is_sent_again_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PATIENCE", 0.3)
    report = load.Report()
    with answering(503, b"{}") as port, DuetClient(f"http://127.0.0.1:{port}", retries=load.ONCE) as duet:
        assert not load.answered(duet, load.photo(0), report)
    assert report.broken >= 2
    assert (report.refused, report.times) == (0, [])


def test_photos_differ_by_seed_alone() -> None:
    assert load.photo(1) == load.photo(1) != load.photo(2)
