"""Processes ended with kill -9 in the middle of their work: clients that try again lose nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.serving.machine import peak_resident_mb
from duet_client import DuetClient, NewClass, Retries, Unreachable
from tests.faults.conftest import StartServer
from tests.faults.report import Row
from tests.faults.server import Server, eventually, open_files
from tests.service_process import ServiceProcess
from tests.tiny_bundle import ALL_BLUE, picture_bytes

pytestmark = pytest.mark.slow

PATIENT = Retries(attempts=60, longest=120.0)
CLIENTS = 4


class Workers(Server):
    """Two processes on one port and one store, as uvicorn runs them."""

    def command(self) -> list[str]:
        """`uvicorn --workers 2`."""
        return [*ServiceProcess.command(self), "--workers", "2"]

    def workers(self) -> set[int]:
        """Their process numbers; the third child of uvicorn watches over shared memory."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return {int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}

    def busiest(self) -> int:
        """The worker with the most connections."""
        return max(self.workers(), key=open_files)

    def peak_mb(self) -> float:
        """Of the larger worker."""
        return max(map(peak_resident_mb, self.workers()))


class Load:
    """Clients that classify and register without a pause until stopped; each request is counted in the end."""

    def __init__(self, service: Server, row: Row) -> None:
        self.names: list[str] = []
        self.failures: list[Exception] = []
        self._url, self._row = service.url, row
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each finish what it has begun, retries included."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._row.lost += len(self.failures)

    def _work(self, client_number: int) -> None:
        done: Counter[str] = Counter()
        with DuetClient(self._url, retries=PATIENT) as client:
            while not self._stop.is_set():
                name = f"c{client_number}-{done['200 class']}"
                try:
                    assert client.classify(picture_bytes("red")).predictions
                    done["200 photo"] += 1
                    done["class sent again"] += register(client, NewClass(id=name, label=name, attributes=ALL_BLUE))
                    done["200 class"] += 1
                    self.names.append(name)
                except Exception as error:
                    self.failures.append(error)
        self._row.inputs += sum(done.values())
        self._row.answers += done


def register(client: DuetClient, new: NewClass) -> int:
    """Send it until it is acknowledged; returns how often that was in vain.

    The client does not repeat a write by itself, for it cannot know whether it was done, and by whom it was changed
    since; who wrote it can.
    """
    for attempt in range(20):
        with contextlib.suppress(Unreachable):
            client.replace_class(new)
            return attempt
    raise AssertionError(f"{new.id} was never acknowledged")


def killed_under_load(service: Server, row: Row, kill: Callable[[], None]) -> None:
    """Kill three times while clients work; whatever was acknowledged must be there."""
    load = Load(service, row)
    try:
        for _ in range(3):
            known = len(load.names)
            eventually(lambda known=known: len(load.names) > known + 5, 60)  # type: ignore[misc]
            kill()
    finally:
        load.stop()
    assert load.failures == []
    with DuetClient(service.url) as client:
        kept = {entry.id for entry in client.classes()}
    row.lost += len(set(load.names) - kept)
    row.done(service)


def test_the_service_killed_and_started_again(serve: StartServer) -> None:
    service = serve()
    row = Row(40, f"kill -9 of the service under load of {CLIENTS} clients, three times")

    def kill() -> None:
        service.signal(signal.SIGKILL)
        service.wait()
        time.sleep(0.5)
        service.start()

    killed_under_load(service, row, kill)


def test_one_of_two_workers_killed(tiny_bundle: Path, tmp_path: Path) -> None:
    """uvicorn starts another in its place."""
    service = Workers(tmp_path, bundle=tiny_bundle, processes=2)
    service.start()
    row = Row(41, f"kill -9 of one of two workers under load of {CLIENTS} clients, three times")

    def kill() -> None:
        eventually(lambda: len(service.workers()) == 2, 60)
        os.kill(service.busiest(), signal.SIGKILL)

    try:
        killed_under_load(service, row, kill)
    finally:
        service.close()
