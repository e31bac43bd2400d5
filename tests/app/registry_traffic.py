"""Clients that write and read classes for a while, and remember what they were told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.service_process import ServiceProcess
from tests.tiny_bundle import ALL_BLUE, SEEN, picture_bytes


def blue(class_id: str, **changes: Any) -> dict[str, Any]:
    """A class that wins on a blue picture."""
    return {"id": class_id, "label": "Blue Bird", "attributes": ALL_BLUE} | changes


def eventually(condition: Callable[[], bool], seconds: float = 20) -> float:
    """Wait until it is so; returns how long that took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "it never came to pass"
        time.sleep(0.02)
    return time.monotonic() - begun


class Traffic:
    """Threads that register classes through some services and read them from all, until `stop`.

    Attributes:
        acknowledged: ids answered with 201, and their revisions.
        refused: other answers to a write by status; "lost" for a connection that ended without one.
        mixed: answers that cannot be of one revision.
    """

    def __init__(self, *, write_to: list[ServiceProcess], read_from: list[ServiceProcess]) -> None:
        self.acknowledged: dict[str, int] = {}
        self.refused: dict[Any, int] = {}
        self.mixed: list[str] = []
        self.reads = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(i, s)) for i, s in enumerate(write_to)]
        self._threads += [threading.Thread(target=self._read, args=(s,)) for s in read_from]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _write(self, writer: int, service: ServiceProcess) -> None:
        number = 0
        with httpx.Client(base_url=service.url, timeout=30) as client:
            while not self._stop.is_set():
                class_id = f"w{writer}-{number:04}"
                number += 1
                try:
                    answer = client.post("/classes", json=blue(class_id))
                except httpx.TransportError:
                    self.refused["lost"] = self.refused.get("lost", 0) + 1
                    time.sleep(0.02)
                    continue
                if answer.status_code == 201:
                    self.acknowledged[class_id] = answer.json()["revision"]
                else:
                    self.refused[answer.status_code] = self.refused.get(answer.status_code, 0) + 1
                    assert int(answer.headers["retry-after"]) >= 1
                    time.sleep(0.02)

    def _read(self, service: ServiceProcess) -> None:
        """Classes are only added, one with each revision: at revision n exactly n are there."""
        photo = {"image": picture_bytes("blue")}
        newest = 0
        with httpx.Client(base_url=service.url, timeout=30) as client:
            while not self._stop.is_set():
                try:
                    listed = client.get("/classes", params={"seen": False, "limit": 1})
                    ranked = client.post("/classify", params={"candidates": "all", "top_k": 50}, files=photo)
                except httpx.TransportError:
                    time.sleep(0.02)
                    continue
                self.reads += 1
                for answer in (listed, ranked):
                    assert answer.status_code == 200, answer.text
                    told = answer.json()["revision"]
                    if answer.headers["x-registry-revision"] != str(told) or told < newest:
                        self.mixed.append(f"header {answer.headers['x-registry-revision']}, {told} after {newest}")
                    newest = told
                if listed.json()["total"] != listed.json()["revision"]:
                    self.mixed.append(f"{listed.json()['total']} classes at {listed.json()['revision']}")
                found = ranked.json()["predictions"]
                if len(found) != min(50, len(SEEN) + ranked.json()["revision"]):
                    self.mixed.append(f"{len(found)} ranked at {ranked.json()['revision']}")
