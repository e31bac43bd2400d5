"""An error that nobody foresaw: its answer names the request under which the log has the traceback."""

from __future__ import annotations

import logging

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings


def test_the_answer_and_the_log_name_the_request(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings())

    async def broken() -> None:
        raise RuntimeError("nobody foresaw this")

    app.add_api_route("/broken", broken)
    caplog.set_level(logging.INFO, "duet.access")
    answer = TestClient(app, raise_server_exceptions=False).get("/broken", headers={"X-Request-ID": "r-6"})
    assert (answer.status_code, answer.json()["request_id"]) == (500, "r-6")
    assert answer.headers.get_list("X-Request-ID") == ["r-6"]
    lines = [record for record in caplog.records if record.name == "duet.access"]
    assert [vars(line)["status"] for line in lines] == [500]
