"""Photos of a benchmark encoded by a bundle once: v and states are kept in files named after bundle and photos."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import onnxruntime
import PIL

from duet_core.benchmarks import Benchmark
from duet_core.classes import IntArray
from duet_core.judging.photos import Photos, encode_rows
from duet_core.runtime import Bundle, Encoder

CACHE = Path(".cache/encoded")
_AT_ONCE = 256


def cache_file(bundle: Bundle, benchmark: Benchmark, rows: IntArray, folder: Path = CACHE) -> Path:
    """Where the answers lie: named after the bundle's checksum, the photos' names, sizes and dates, the libraries."""
    digest = hashlib.sha256(f"{PIL.__version__} {onnxruntime.__version__}".encode())
    for row in rows:
        path = benchmark.image_paths[row]
        stat = path.stat()
        digest.update(f"\0{path.parent.name}/{path.name}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return folder / f"{bundle.checksum[:16]}-{digest.hexdigest()[:24]}.npz"


def encode_cached(
    bundle: Bundle, benchmark: Benchmark, rows: IntArray, *, what: str, folder: Path = CACHE
) -> Generator[str, None, Photos]:
    """v and state of photos (n,) of a benchmark; yields lines of progress while it encodes, none when it has them.

    Args:
        bundle, benchmark, rows: which photos, by which model.
        what: names the photos in the lines, such as "test photos of seen classes".
        folder: where the file lies; written under a temporary name, so that a file that exists is whole.
    """
    file, label = cache_file(bundle, benchmark, rows, folder), benchmark.labels[rows]
    if file.exists():
        with np.load(file, allow_pickle=False) as kept:
            return Photos(kept["v"], kept["state"], label)
    encoder, started, parts = Encoder(bundle), time.monotonic(), list[Photos]()
    for start in range(0, len(rows), _AT_ONCE):
        parts.append(encode_rows(encoder, benchmark, rows[start : start + _AT_ONCE]))
        done = min(start + _AT_ONCE, len(rows))
        left = (time.monotonic() - started) / done * (len(rows) - done)
        yield f"{bundle.model_id}: {done} of {len(rows)} {what} encoded, {left:.0f} s left"
    photos = Photos(np.concatenate([part.v for part in parts]), np.concatenate([part.state for part in parts]), label)
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.stem}.{os.getpid()}.tmp.npz")
    try:
        np.savez(temporary, v=photos.v, state=photos.state)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    return photos
