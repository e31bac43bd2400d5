"""`duet benchmark check`: whether a folder can be trained on, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def run(root: Path, *, images: Path | None = None, decode: bool = False) -> Iterator[str]:
    """Check a benchmark's folder and print every finding; ends with exit code 0 only when it can be trained on.

    Args:
        root: folder of the benchmark's files.
        images: folder of its photos; default the one inside root.
        decode: of photos of your own, decode every one instead of reading its header.

    Raises NotADirectoryError when there is no such folder.
    """
    from duet_core.benchmarks.checking import check_benchmark

    report = check_benchmark(root, images, decode=decode)
    yield report.text()
    if not report.is_usable:
        raise SystemExit(1)
