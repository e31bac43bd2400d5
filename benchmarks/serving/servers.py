"""Servers as processes of their own, in a session of their own so that nothing of them is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.serving.machine import processor_seconds, resident_mb

START_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class System:
    """Something that serves the model.

    Attributes:
        name: in tables.
        command: after the interpreter; {port}, {bundle} and {folder} are filled in.
        ready: path that answers 200 once photos may be sent.
        path, form_field: where photos go, and in which form field.
        settings: environment variables.
        clients: of its closed loops, where it does not take as many as the benchmark has.
    """

    name: str
    command: tuple[str, ...]
    ready: str
    path: str
    form_field: str = "image"
    settings: Mapping[str, str] = field(default_factory=dict)
    clients: tuple[int, ...] = ()


DUET = System(
    name="duet serve",
    command=("-m", "duet_core.cli", "serve", "--port", "{port}", "--bundle", "{bundle}"),
    ready="/readyz",
    path="/classify",
    settings={"DUET_STORE": "sqlite:///{folder}/classes.sqlite"},
)
_PLAIN = ("-m", "benchmarks.serving.plain_fastapi", "{port}", "{bundle}")
_LIT = ("-m", "benchmarks.serving.lit_server", "{port}", "{bundle}")
STEADY = replace(
    DUET,
    name="duet serve, 4 steady",
    settings={**DUET.settings, "DUET_STEADY_IMAGES": "4"},
    clients=(1, 2, 4),  # more would be turned away, and ask again at once as no client should
)
OTHERS = (
    STEADY,
    System(name="FastAPI, async def", command=_PLAIN, ready="/docs", path="/async"),
    System(name="FastAPI, def", command=_PLAIN, ready="/docs", path="/def"),
    System(name="LitServe", command=(*_LIT, "1"), ready="/health", path="/predict", form_field="request"),
    System(
        name="LitServe, batches of 16", command=(*_LIT, "16"), ready="/health", path="/predict", form_field="request"
    ),
)


@dataclass
class Running:
    """A server that answers."""

    system: System
    port: int
    process: subprocess.Popen[bytes]

    def processor(self) -> float:
        """Processor seconds of all its processes so far."""
        return processor_seconds(self.process.pid)

    def resident(self) -> float:
        """Resident memory of all its processes in MB."""
        return resident_mb(self.process.pid)


@contextmanager
def running(system: System, *, bundle: Path, folder: Path) -> Iterator[Running]:
    """The server, until the block ends.

    Args:
        bundle: what it serves.
        folder: for its files; its output is `server.log` there.

    Raises RuntimeError, with the end of its output, when it does not answer in time.
    """
    port = _free_port()
    told = {"port": str(port), "bundle": str(bundle), "folder": str(folder)}
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DUET_")}
    environment = clean | {key: value.format(**told) for key, value in system.settings.items()}
    command = [sys.executable, *(part.format(**told) for part in system.command)]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait(process, f"http://127.0.0.1:{port}{system.ready}", log)
        yield Running(system, port, process)
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.1)
    tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise RuntimeError(f"no answer from {address} within {START_SECONDS:g} s; its output ends with:\n{tail}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole session to end, then make it."""
    for number, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and _group_lives(process):
            time.sleep(0.05)
    process.wait()


def _group_lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()  # a finished leader would count as alive until somebody asks
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
