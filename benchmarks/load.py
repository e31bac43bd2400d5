"""Throughput and latency over HTTP, against the bare loop, LitServe and plain FastAPI, and under overload.

``python -m benchmarks.load`` takes about 13 minutes: three rounds of everything, so that what else the machine does
meets all alike. Clients, server and bare loop run one after the other on the same cores, with the same photos, made in
code. Writes `benchmarks/results/load.json`; ``python -m benchmarks.report`` makes the page and the pictures of it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import results
from benchmarks.serving.bare import LOOPS
from benchmarks.serving.client import Plan, arguments
from benchmarks.serving.machine import busy_seconds, describe
from benchmarks.serving.photos import read_photos, write_photos
from benchmarks.serving.servers import DUET, OTHERS, Running, System, running
from duet_core.runtime.sessions import thread_count

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
FEW_CLIENTS = (1, 8, 64)
"""Of the systems compared with."""
LOADS = (0.5, 0.8, 1.0, 1.5)
OVERLOAD = (1.5,)
PACKAGES = ("fastapi", "uvicorn", "uvloop", "httptools", "litserve")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """How to measure.

    Attributes:
        bundle: what is served.
        photos: folder of the photos.
        seconds, open_seconds: of a closed and of an open loop.
        clients: of the closed loops of `duet serve`.
    """

    bundle: Path
    photos: Path
    seconds: float
    open_seconds: float
    clients: Sequence[int]

    def bare(self, loop: str) -> dict[str, Any]:
        """One bare loop."""
        command = ["-m", "benchmarks.serving.bare", loop, str(self.photos), "--seconds", str(self.seconds)]
        return {"loop": loop} | _measured([*command, "--bundle", str(self.bundle)], None)

    def closed(self, server: Running, clients: int) -> dict[str, Any]:
        """One number of clients."""
        plan = self._plan(server, clients=clients, seconds=self.seconds)
        return {"system": server.system.name, "clients": clients} | _measured(arguments(plan), server)

    def open(self, server: Running, load: float, capacity: float, seed: int) -> dict[str, Any]:
        """Photos at random moments, at `load` times the `capacity` in photos a second."""
        plan = self._plan(server, rate=load * capacity, seconds=self.open_seconds, warm=1.0, seed=seed)
        found = {"system": server.system.name, "load": load, "rate": plan.rate}
        return found | _measured(arguments(plan), server)

    def _plan(self, server: Running, **given: Any) -> Plan:
        system = server.system
        return Plan(port=server.port, path=system.path, name=system.form_field, photos=str(self.photos), **given)


def _measured(command: list[str], server: Running | None) -> dict[str, Any]:
    """What a process prints as JSON, with the server's processor time a photo and the cores' share others used."""
    begun, busy, children = time.perf_counter(), busy_seconds(), _children()
    served = server.processor() if server else 0.0
    done = subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True)
    used = (server.processor() if server else 0.0) - served
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if server:
        found |= {"server_cpu_ms": 1000 * used / max(1, found["requests"]), "resident_mb": server.resident()}
    others = busy_seconds() - busy - used - (_children() - children)
    return found | {"others": max(0.0, others) / ((time.perf_counter() - begun) * thread_count())}


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def one_round(bench: Bench, systems: Sequence[System], number: int) -> dict[str, list[dict[str, Any]]]:
    """Everything once. In odd rounds the systems come in the opposite order."""
    found: dict[str, list[dict[str, Any]]] = {"bare": [], "closed": [], "open": []}
    for loop in LOOPS:
        found["bare"].append(_told(bench.bare(loop) | {"round": number}))
    for system in systems[:: -1 if number % 2 else 1]:
        ours = system.name == DUET.name
        with tempfile.TemporaryDirectory() as folder, running(system, bundle=bench.bundle, folder=Path(folder)) as it:
            closed = []
            few = system.clients or FEW_CLIENTS
            for clients in bench.clients if ours else [n for n in few if n <= max(bench.clients)]:
                closed.append(_told(bench.closed(it, clients) | {"round": number}))
            capacity = max(entry["a_second"] for entry in closed)
            for load in LOADS if ours else OVERLOAD:
                found["open"].append(_told(bench.open(it, load, capacity, seed=number) | {"round": number}))
        found["closed"] += closed
    return found


def _told(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry, after one line of it for whoever watches."""
    who = entry.get("loop") or f"{entry['system']}, " + (
        f"{entry['clients']} clients" if "clients" in entry else f"{entry['load']:g} x capacity"
    )
    numbers = f"{entry['a_second']:7.1f}/s  p50 {entry.get('p50_ms', 0):7.1f} ms  p99 {entry.get('p99_ms', 0):8.1f} ms"
    print(f"{entry['round']}  {who:40}{numbers}  {entry.get('statuses', '')}  others {entry['others']:.0%}", flush=True)
    return entry


def main() -> None:
    """Measure, write the results, print each as it comes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    known = {system.name: system for system in (DUET, *OTHERS)}
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a closed loop")
    parser.add_argument("--open-seconds", type=float, default=8.0, help="of an open loop")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    parser.add_argument("--system", choices=known, action="append", help="default: all")
    parser.add_argument("--photos", type=int, default=48, help="different photos")
    parser.add_argument("--bundle", type=Path, default=Path("models/birds"))
    parser.add_argument("--out", type=Path, default=results.FOLDER, help="folder of load.json")
    asked = parser.parse_args()
    systems = [known[name] for name in asked.system or known]
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder), asked.photos)
        size = sum(map(len, read_photos(Path(folder)))) / asked.photos / 1000
        bench = Bench(
            bundle=asked.bundle,
            photos=Path(folder),
            seconds=asked.seconds,
            open_seconds=asked.open_seconds,
            clients=asked.clients,
        )
        rounds = [one_round(bench, systems, number) for number in range(asked.rounds)]
    found: dict[str, Any] = {"machine": describe(*PACKAGES), "bundle": asked.bundle.name}
    found |= {"rounds": asked.rounds, "seconds": asked.seconds, "open_seconds": asked.open_seconds}
    found |= {"photos": asked.photos, "photo_kb": size, "queue_images": _queue_images()}
    found |= {kind: [entry for part in rounds for entry in part[kind]] for kind in ("bare", "closed", "open")}
    print(f"written: {results.save('load', found, asked.out).name}; python -m benchmarks.report shows it")


def _queue_images() -> int:
    from app.settings import Settings

    return Settings().queue_images


if __name__ == "__main__":
    main()
