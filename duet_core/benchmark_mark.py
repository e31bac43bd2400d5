"""Runs on a folder of one's own are held to the photos, the split and the attributes that the first of them saw."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from duet_core.benchmarks.benchmark import Benchmark
from duet_core.record import ProtocolError, write_json

_FILE = "benchmark.json"


def hold_to_benchmark(benchmark: Benchmark, out: Path) -> None:
    """Refuse to go on with runs whose benchmark has changed since; the first call writes what it is.

    Args:
        benchmark: as it is now.
        out: folder of the recipe's runs.

    Raises ProtocolError that says what has changed: photos, split or attributes.
    """
    now, file = _marks(benchmark), out / _FILE
    if not file.exists():
        write_json(file, now)
        return
    then = json.loads(file.read_text())
    if changed := [part for part, mark in now.items() if then.get(part) != mark]:
        raise ProtocolError(
            f"{benchmark.name}: {' and '.join(changed)} changed since the runs in {out} began; their figures do not "
            "belong together: choose another --out, or remove that folder and train again"
        )


def _marks(benchmark: Benchmark) -> dict[str, str]:
    names = benchmark.classes.names
    photos = [
        f"{names[label]}/{path.name}" for label, path in zip(benchmark.labels, benchmark.image_paths, strict=True)
    ]
    parts = (benchmark.trainval, benchmark.test_seen, benchmark.test_unseen, benchmark.train, benchmark.val)
    return {
        "photos": _sha256("\n".join(photos).encode()),
        "split": _sha256(b"|".join(rows.tobytes() for rows in parts)),
        "attributes": _sha256("\n".join((*names, *benchmark.schema.keys)).encode() + benchmark.classes.raw.tobytes()),
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
