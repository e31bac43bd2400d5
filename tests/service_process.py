"""The service as a process of its own, as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.redis_process import free_port

ROOT = Path(__file__).resolve().parents[1]


class ServiceProcess:
    """`uvicorn app.main:create_app --factory` on a free port, with `client` to talk to it.

    Args:
        folder: where its log goes.
        settings: DUET_ settings by field name.
    """

    factory = "app.main:create_app"

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=60)
        self._log = folder / f"service-{self.port}.log"
        settings = {"snapshots": folder / "snapshots"} | settings
        clean = {key: value for key, value in os.environ.items() if not key.startswith("DUET_")}
        self.environment = clean | {f"DUET_{key.upper()}": str(value) for key, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What is run."""
        return [sys.executable, "-m", "uvicorn", self.factory, "--factory", "--port", str(self.port)]

    def start(self, *, wait: str = "/readyz") -> ServiceProcess:
        """Start and wait until the path `wait` answers 200."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self.command(), cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        self.wait_for(wait)
        return self

    def wait_for(self, path: str, status: int = 200, seconds: float = 60) -> None:
        """Wait until `path` answers with `status`."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if self.client.get(path).status_code == status:
                    return
            except httpx.TransportError:
                if self._process is not None and self._process.poll() is not None:
                    pytest.fail(f"the service ended with {self._process.returncode}:\n{self.log}")
            if time.monotonic() > deadline:
                pytest.fail(f"{path} did not answer {status} within {seconds:g} s:\n{self.log}")
            time.sleep(0.05)

    @property
    def log(self) -> str:
        """What the process has written."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        """Number of the running process."""
        assert self._process is not None
        return self._process.pid

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        """Wait for its end; returns the exit status."""
        assert self._process is not None
        status = self._process.wait(seconds)
        self._process = None
        return status

    def stop(self) -> None:
        """Ask it to end (SIGTERM) and wait."""
        if self._process is not None:
            self.signal(signal.SIGTERM)
            self.wait()

    def close(self) -> None:
        """Stop it and forget the client's connections."""
        self.stop()
        self.client.close()
