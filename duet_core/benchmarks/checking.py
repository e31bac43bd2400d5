"""From a folder to the report on it, whatever its layout."""

from __future__ import annotations

from pathlib import Path

from duet_core.benchmarks.check_table import Report
from duet_core.benchmarks.folder_reading import is_own_folder
from duet_core.benchmarks.folder_report import folder_report
from duet_core.benchmarks.graph_report import graph_report, is_graph_folder
from duet_core.benchmarks.xlsa17 import check_xlsa17


def check_benchmark(root: Path, images: Path | None = None, *, decode: bool = False) -> Report:
    """Every check of the benchmark in `root`; the layout is told by what lies there.

    With `decode`, photos of one's own are decoded, not only their headers read.

    Raises NotADirectoryError when there is no such folder.
    """
    if not root.is_dir():
        raise NotADirectoryError(f"no folder {root}; give the folder of a benchmark's files, such as data/CUB")
    if is_own_folder(root):
        return folder_report(root, images, decode=decode)
    if is_graph_folder(root):
        return graph_report(root)
    return check_xlsa17(root, images)
