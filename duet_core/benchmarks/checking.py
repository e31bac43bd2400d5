"""From a folder to the report on it, whatever its layout."""

from __future__ import annotations

from pathlib import Path

from duet_core.benchmarks.check_table import Report
from duet_core.benchmarks.xlsa17 import check_xlsa17


def check_benchmark(root: Path, images: Path | None = None) -> Report:
    """Every check of the benchmark in `root`; the layout is told by what lies there.

    Raises NotADirectoryError when there is no such folder.
    """
    if not root.is_dir():
        raise NotADirectoryError(f"no folder {root}; give the folder of a benchmark's files, such as data/CUB")
    return check_xlsa17(root, images)
