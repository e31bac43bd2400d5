"""From the `data` section of a recipe to a benchmark, whatever its layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from duet_core.benchmarks.benchmark import Benchmark, BenchmarkError
from duet_core.benchmarks.class_embedding import read_class_embedding, report_order
from duet_core.benchmarks.folder_reading import is_own_folder
from duet_core.benchmarks.image_folder import load_image_folder
from duet_core.benchmarks.knowledge_graph import with_knowledge_graph
from duet_core.benchmarks.triples import read_graph
from duet_core.benchmarks.xlsa17 import load_xlsa17
from duet_core.config import DataConfig, expand


def open_benchmark(data: DataConfig) -> Benchmark:
    """The benchmark of `data.root` in the layout `data.layout`, checked.

    Raises BenchmarkError with every problem found.
    """
    if not expand(data.root).is_dir():
        raise BenchmarkError(
            f"data.root: {data.root}", ["got no such folder; give that of the benchmark's files, such as data/CUB"]
        )
    if data.layout == "folder":
        return load_image_folder(expand(data.root), images=None if data.images is None else expand(data.images))
    base = load_xlsa17(expand(data.root), images=None if data.images is None else expand(data.images))
    return base if data.graph is None else _with_graph(base, data, data.graph)


def open_folder(root: Path) -> Benchmark:
    """The benchmark in a folder with its photos: one's own or the official layout, told by what lies there.

    Raises NotADirectoryError when there is no such folder, BenchmarkError with every problem found.
    """
    if not root.is_dir():
        raise NotADirectoryError(f"no folder {root}; give the folder of a benchmark's files, such as data/CUB")
    return load_image_folder(root) if is_own_folder(root) else load_xlsa17(root)


def _with_graph(base: Benchmark, data: DataConfig, graph: str) -> Benchmark:
    """Layout "knowledge_graph": attributes from triples, and v compared with an embedding where there is one."""
    benchmark, attributes = with_knowledge_graph(base, read_graph(expand(graph)), hops=data.hops)
    if data.class_embedding is None:
        return benchmark
    file = expand(data.class_embedding)
    vectors = read_class_embedding(file, base.classes.names, attributes.class_entities)
    report_order(file, vectors, attributes.degrees)
    return replace(benchmark, class_embedding=vectors)
