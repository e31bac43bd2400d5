"""From the `data` section of a recipe to a benchmark, whatever its layout."""

from __future__ import annotations

from duet_core.benchmarks.benchmark import Benchmark
from duet_core.benchmarks.image_folder import load_image_folder
from duet_core.benchmarks.xlsa17 import load_xlsa17
from duet_core.config import DataConfig, expand


def open_benchmark(data: DataConfig) -> Benchmark:
    """The benchmark of `data.root` in the layout `data.layout`, checked.

    Raises BenchmarkError with every problem found.
    """
    if data.layout == "folder":
        return load_image_folder(expand(data.root), images=None if data.images is None else expand(data.images))
    return load_xlsa17(expand(data.root), images=None if data.images is None else expand(data.images))
