"""Thousands of requests drawn from the OpenAPI document: none is answered by a mistake of ours, or as undocumented.

`make schemathesis EXAMPLES=1000` draws more; the seed is fixed, so that a failure comes again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from app.access.key_file import KeyFile, new_key, write_key_file
from app.access.policy import OPEN, needed
from tests.service_process import ROOT, ServiceProcess
from tests.tiny_bundle import write_tiny_bundle

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("DUET_EXAMPLES", "5"))
"""Requests drawn for each operation, on top of those that the document's limits ask for."""
CONFORMANCE = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,allow_header_conformance,use_after_free,deliberate_503"
)
CONFIG = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]
"""
"""A 503 is deliberate, and has a check of its own (schemathesis_hooks.py)."""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "tiny")


def drawn(service: ServiceProcess, folder: Path, *options: str) -> dict[str, Any]:
    """Run schemathesis on a service; returns its report, after what it printed when it found something."""
    (folder / "schemathesis.toml").write_text(CONFIG)
    report = folder / "report.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run"]
    command += [f"{service.url}/openapi.json", "--seed", "5", "--max-examples", str(EXAMPLES), "--checks", CONFORMANCE]
    command += ["--continue-on-failure", "--warnings", "off", "--no-color", *options]
    command += ["--generation-database", "none", "--report", "json", "--report-json-path", str(report)]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.openapi.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=os.environ | hooks, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    found: dict[str, Any] = json.loads(report.read_text())
    assert found["complete"]
    assert found["operations"]["tested"] == found["operations"]["total"]
    print(f"\nschemathesis: {found['test_cases']['generated']} requests, no failure")  # noqa: T201  # the report of a run
    return found


def answered(service: ServiceProcess) -> list[dict[str, Any]]:
    """The lines of the access log."""
    lines = (json.loads(line) for line in service.log.splitlines() if line.startswith("{"))
    return [line for line in lines if "status" in line]


def statuses(lines: Iterable[dict[str, Any]]) -> set[int]:
    """Every status of them."""
    return {line["status"] for line in lines}


def test_an_open_service_makes_no_mistake(bundle: Path, tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path, bundle=bundle, store=f"sqlite:///{tmp_path}/classes.sqlite", log_format="json")
    service.start()
    try:
        found = drawn(service, tmp_path)
        assert found["test_cases"]["generated"] > 2000
        assert {200, 201, 404, 405, 415, 422} <= statuses(answered(service)) <= {*range(200, 500), 503}
        assert "Traceback" not in service.log
    finally:
        service.close()


def test_a_service_with_keys_opens_nothing_without_one(bundle: Path, tmp_path: Path) -> None:
    key, entry = new_key("owner", ["admin"])
    write_key_file(tmp_path / "keys.json", KeyFile(keys=(entry,)))
    store = f"sqlite:///{tmp_path}/classes.sqlite"
    service = ServiceProcess(
        tmp_path, bundle=bundle, store=store, api_keys=tmp_path / "keys.json", log_format="json"
    ).start()
    try:
        drawn(service, tmp_path, "--phases", "examples,fuzzing", "--header", f"X-API-Key: {key}")
        drawn(service, tmp_path, "--phases", "examples,fuzzing")
        lines = answered(service)
        assert {200, 401, 422} <= statuses(lines) <= {*range(200, 500), 503}
        shut = [line for line in lines if "key" not in line and needed(line["method"], line["path"]) != OPEN]
        assert len(shut) > 100
        assert statuses(shut) == {401}
        assert key not in service.log
        assert "Traceback" not in service.log
    finally:
        service.close()
