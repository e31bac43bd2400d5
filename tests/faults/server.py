"""`duet serve` in trouble: started behind another program, watched from /proc."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.serving.machine import peak_resident_mb
from tests.service_process import ServiceProcess

WORD = "BREAK_MODEL"
AS_INSTALLED = (
    "import sys; sys.modules.update(httptools=None, uvloop=None); from duet_core.cli import main; sys.exit(main())"
)
"""`duet`, without the faster parser and event loop that only the tests' environment has."""


class Server(ServiceProcess):
    """The service as an operator runs it.

    Args:
        fast: with httptools and uvloop, as when somebody has installed them too.
        prefix: a command that ends in executing the one that follows it, so that the process stays the same.
        environment: further variables.
    """

    def __init__(
        self,
        folder: Path,
        *,
        prefix: list[str] | None = None,
        environment: dict[str, str] | None = None,
        fast: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(folder, **({"store": f"sqlite:///{folder}/classes.sqlite"} | settings))
        self._prefix = prefix or []
        self._duet = ["-m", "duet_core.cli"] if fast else ["-c", AS_INSTALLED]
        self.environment |= environment or {}

    def command(self) -> list[str]:
        """`duet serve`, behind the prefix."""
        return [*self._prefix, sys.executable, *self._duet, "serve", "--port", str(self.port)]

    def metric(self, name: str) -> float:
        """A number of /metrics."""
        found = re.search(rf"^{name} (\S+)$", self.client.get("/metrics").text, re.MULTILINE)
        assert found, name
        return float(found[1])

    def files(self) -> int:
        """Files and sockets that the process has open."""
        return open_files(self.pid)

    def peak_mb(self) -> float:
        """The most memory it has had, in MB."""
        return peak_resident_mb(self.pid)


def open_files(process: int) -> int:
    """Files and sockets that a running process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))


class HeldServer(Server):
    """With the model of tests/app/breakable_service.py: `say` holds it back or lets it go."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self._word = folder / "model.txt"
        super().__init__(folder, environment={WORD: str(self._word)}, **settings)

    def command(self) -> list[str]:
        """The breakable service."""
        factory = ["tests.app.breakable_service:create_app", "--factory"]
        return [sys.executable, "-m", "uvicorn", *factory, "--port", str(self.port)]

    def say(self, word: str) -> None:
        """ "hold" or "" (go on)."""
        self._word.write_text(word)

    def model_calls(self) -> int:
        """Photos the model was given, the first ones of its own start among them."""
        calls = self._word.with_suffix(".calls")
        return len(calls.read_text().split()) if calls.exists() else 0


def eventually(condition: Callable[[], bool], seconds: float = 30) -> float:
    """Wait until it is so; returns how long that took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "it never came to pass"
        time.sleep(0.05)
    return time.monotonic() - begun
