"""`duet serve` as a process: it says where it serves once it does, and ends with the reason when it cannot."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.redis_process import free_port
from tests.service_process import ROOT


def begin(folder: Path, *options: str) -> subprocess.Popen[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DUET_")}
    return subprocess.Popen(
        [sys.executable, "-m", "duet_core.cli", "serve", *options],
        cwd=ROOT,
        env=clean | {"DUET_SNAPSHOTS": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("--bundle=no/such/bundle", "duet serve: no/such/bundle/manifest.json: no such file"),
        ("--store=sqlite:///no/such/x.sqlite", "duet serve: SQLite file no/such/x.sqlite: its folder does not exist"),
        ("--port", "duet serve: cannot listen on 127.0.0.1 port"),
    ],
)
def test_a_start_that_cannot_work_ends_with_the_reason_alone(
    tiny_bundle: Path, tmp_path: Path, wrong: str, told: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if wrong == "--port" else free_port()
        right = ("--bundle", str(tiny_bundle), "--store", f"sqlite:///{tmp_path}/c.sqlite", "--port", str(port))
        process = begin(tmp_path, *right, *(() if wrong == "--port" else (wrong,)))
        printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed) == (2, "")
    assert errors.splitlines()[-1].startswith(told)
    assert "Traceback" not in errors


def test_the_address_is_told_once_it_answers(tiny_bundle: Path, tmp_path: Path) -> None:
    port = free_port()
    right = ("--bundle", str(tiny_bundle), "--store", f"sqlite:///{tmp_path}/c.sqlite", "--port", str(port))
    with begin(tmp_path, *right) as process:
        assert process.stdout is not None
        try:
            told = process.stdout.readline()
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        finally:
            process.send_signal(signal.SIGTERM)
        assert told == f"DUET serves at http://localhost:{port}\n"
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
