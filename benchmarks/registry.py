"""Many registered classes: bulk registration, start-up, memory, and the time they add to a photo.

``python -m benchmarks.registry [COUNT …]`` measures for each number of classes (default: 100 to 1,000,000, which takes
about ten minutes) with the demo bundle and random degrees, in SQLite and in a Redis of its own where there is one.
Every step is a process of its own, so that memory is that of one thing. All times are processor times, of this process
with one thread for arithmetic, and of Redis where it works for it: what else the machine does is not counted, waiting
for the disk does not either. Scoring is the median over pairs of one photo ranked over the seen classes alone and over
all. Writes `benchmarks/results/registry.json`; ``python -m benchmarks.report`` makes the page and the picture of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from app.registry.copies import Copies
from app.registry.follower import DEFAULT_SPACE, Follower
from app.registry.redis import RedisStore
from app.registry.redis_client import connect
from app.registry.snapshot import SeenClasses, schema_fingerprint
from app.registry.sqlite import SqliteStore
from app.registry.store import Act, ClassRecord, ClassStore, Put
from benchmarks.serving import results
from benchmarks.serving.machine import describe
from duet_core.classes import FloatArray
from duet_core.runtime import open_bundle, rank

BUNDLE = Path("models/birds")
COUNTS = (100, 1_000, 10_000, 100_000, 1_000_000)
PIECE = 100_000
"""Classes written at once; a million are ten imports."""
REPEATS = 15


def main() -> None:
    """Print the table, row by row, and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registry", description=__doc__)
    parser.add_argument("count", nargs="*", type=int, default=COUNTS, help="registered classes")
    known = ("sqlite", "redis") if shutil.which("redis-server") else ("sqlite",)
    parser.add_argument("--store", choices=known, action="append", help="default: all there are")
    parser.add_argument("--out", type=Path, default=results.FOLDER, help="folder of registry.json")
    parser.add_argument("--step", nargs=3, metavar=("STORE", "COUNT", "WHAT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        print(json.dumps(asyncio.run(_step(asked.step[0], int(asked.step[1]), asked.step[2]))))
        return
    rows = []
    for count in asked.count:
        for kind in asked.store or known:
            with tempfile.TemporaryDirectory() as folder, _address(kind, Path(folder)) as address:
                filled, loaded, again = (_measured(address, count, what) for what in ("fill", "load", "again"))
            row = {"store": kind, "classes": count, "registered_a_second": count / filled["seconds"]}
            row |= {"store_s": loaded.pop("seconds"), "copy_s": again["seconds"]} | loaded
            print(
                ", ".join(f"{name} {value:.5g}" if name != "store" else value for name, value in row.items()),
                flush=True,
            )
            rows.append(row)
    found = {"machine": describe("redis"), "bundle": BUNDLE.name, "repeats": REPEATS, "rows": rows}
    print(f"written: {results.save('registry', found, asked.out).name}; python -m benchmarks.report shows it")


@contextmanager
def _address(kind: str, folder: Path) -> Iterator[str]:
    """A fresh store; Redis keeps its data as the demo stack does, with `appendfsync always`."""
    if kind == "sqlite":
        yield f"sqlite:{folder}"
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    server = subprocess.Popen([*command, "--appendonly", "yes", "--appendfsync", "always"], stdout=subprocess.DEVNULL)
    try:
        yield f"redis:{folder}:{port}"
    finally:
        server.terminate()
        server.wait()


def _measured(address: str, count: int, what: str) -> dict[str, float]:
    """One step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.registry", "--step", address, str(count), what]
    alone = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=alone)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


async def _step(address: str, count: int, what: str) -> dict[str, float]:
    kind, folder, *port = address.split(":")
    store: ClassStore = SqliteStore(Path(folder) / "classes.sqlite", timeout=60)
    if kind == "redis":
        store = RedisStore(connect(f"redis://127.0.0.1:{port[0]}/0", timeout=60))
        await _answering(store)
    bundle = open_bundle(BUNDLE)
    seen = SeenClasses(classes=bundle.classes, degrees=bundle.degrees, schema=schema_fingerprint(bundle.schema))
    try:
        if what == "fill":
            return await _fill(store, seen, count)
        copies = Copies(Path(folder) / "copies")
        follower = Follower(
            store=store, seen=seen, poll_seconds=60, max_spaces=8, copies=copies if what == "again" else None
        )
        measured = await _load(store, seen, bundle, follower)
        if what == "load":
            copies.save(await follower.snapshot(DEFAULT_SPACE))
        return measured
    finally:
        await store.close()


async def _answering(store: ClassStore) -> None:
    for _ in range(200):
        try:
            return await store.ping()
        except Exception:  # it is starting
            await asyncio.sleep(0.05)
    raise SystemExit("redis-server does not answer")


async def _fill(store: ClassStore, seen: SeenClasses, count: int) -> dict[str, float]:
    """Seconds to store `count` classes, of which making the random records is no part."""
    generator, seconds = np.random.default_rng(0), 0.0
    for start in range(0, count, PIECE):
        size = min(PIECE, count - start)
        degrees = generator.random((size, seen.degrees.shape[1]), dtype=np.float32)
        changes = [Put(_random_record(start + row, degrees[row].tobytes(), seen)) for row in range(size)]
        begun = await _processor(store)
        await store.write(DEFAULT_SPACE, changes, Act("import"))
        seconds += await _processor(store) - begun
    return {"seconds": seconds}


def _random_record(number: int, degrees: bytes, seen: SeenClasses) -> ClassRecord:
    name = f"class-{number:07}"
    return ClassRecord(id=name, label=f"Class {number}", kind="vector", degrees=degrees, schema=seen.schema)


async def _load(store: ClassStore, seen: SeenClasses, bundle: Any, follower: Follower) -> dict[str, float]:
    before, begun = _resident(), await _processor(store)
    snapshot = await follower.refresh(DEFAULT_SPACE)
    seconds, memory = await _processor(store) - begun, _resident() - before
    v: FloatArray = np.random.default_rng(1).standard_normal((seen.degrees.shape[1],), dtype=np.float32)
    told = bundle.calibration
    settings = {"gamma": told.gamma, "temperature": told.temperature, "threshold": told.threshold}
    pairs = []
    for _ in range(REPEATS):
        few = _milliseconds(lambda: rank(v, seen.classes, **settings))
        pairs.append((few, _milliseconds(lambda: rank(v, snapshot.classes, **settings))))
    seen_ms, all_ms = (statistics.median(column) for column in zip(*pairs, strict=True))
    vectors = sum(view.block.classes.z.nbytes for view in snapshot.views) / 1e6
    result = {"seconds": seconds, "memory_mb": memory, "vectors_mb": vectors, "seen_ms": seen_ms, "all_ms": all_ms}
    result["added_ms"] = statistics.median(slow - fast for fast, slow in pairs)
    return result | await _small_change(store, follower, seen)


async def _small_change(store: ClassStore, follower: Follower, seen: SeenClasses) -> dict[str, float]:
    """Milliseconds until a replica serves one class stored by another, and to replay the space as it was before."""
    changes, pasts = [], []
    for number in range(REPEATS):
        record = _random_record(9_000_000 + number, np.ones(seen.degrees.shape[1], dtype="<f4").tobytes(), seen)
        written = await store.write(DEFAULT_SPACE, [Put(record)], Act("register"))
        begun = await _processor(store)
        await follower.refresh(DEFAULT_SPACE)
        changes.append(1000 * (await _processor(store) - begun))
        begun = await _processor(store)
        await follower.as_of(DEFAULT_SPACE, written.revision - 1)
        pasts.append(1000 * (await _processor(store) - begun))
    return {"change_ms": statistics.median(changes), "as_of_ms": statistics.median(pasts)}


def _milliseconds(call: Any) -> float:
    begun = time.process_time()
    call()
    return 1000 * (time.process_time() - begun)


async def _processor(store: ClassStore) -> float:
    """Processor seconds used by this process, and by Redis for it."""
    used = 0.0
    if isinstance(store, RedisStore):
        told = await store.client.info("cpu")
        used = float(told["used_cpu_user"]) + float(told["used_cpu_sys"])
    return used + time.process_time()


def _resident() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
