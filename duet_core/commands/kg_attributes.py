"""`duet kg-attributes`: which attributes a knowledge graph gives to classes, before anything is trained."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from duet_core.benchmarks.benchmark import BenchmarkError
from duet_core.benchmarks.class_embedding import read_class_embedding, report_order
from duet_core.benchmarks.knowledge_graph import GraphAttributes, graph_attributes
from duet_core.benchmarks.triples import read_graph
from duet_core.judging.tables import table

_EXAMPLE = "data/AWA2/classes.txt"


def run(graph: Path, classes: Path, *, hops: int = 1, embedding: Path | None = None) -> Iterator[str]:
    """Print the prompt sets, attributes and pairs that a graph gives to the classes of a benchmark.

    Args:
        graph: a folder with *_triples.txt files, or one file of tab-separated triples.
        classes: text file with a class a line in label order, such as allclasses.txt; a number before it is skipped.
        hops: how many relations lie between a class and its attributes; the paper has 1.
        embedding: class vectors (.npz or .mat) whose distances are compared with those of the attributes.

    Raises BenchmarkError for a broken graph or file, for a file without classes, and for classes that are not in the
    graph, all of them at once.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    names = _class_names(classes)
    attributes = graph_attributes(read_graph(graph), names, hops=hops)
    held = attributes.degrees.sum(axis=1)
    schema = attributes.schema
    yield (
        f"{len(names)} classes, h = {hops}: {len(schema.prompts)} relations, {len(set(attributes.entities))} entities, "
        f"{len(schema)} attributes, {int(held.sum())} pairs, {int(held.min())} to {int(held.max())} a class"
    )
    yield _table(attributes)
    if embedding is not None:
        vectors = read_class_embedding(embedding, names, attributes.class_entities)
        lengths, (rows, columns) = np.linalg.norm(vectors, axis=1), vectors.shape
        yield f"{embedding.name}: {rows} x {columns}, length {lengths.min():.2f} to {lengths.max():.2f}"
        yield report_order(embedding, vectors, attributes.degrees)


def _class_names(file: Path) -> list[str]:
    """The names in a file of classes. Raises BenchmarkError for one that cannot be read, or that names none."""
    if not file.is_file():
        got = "a folder" if file.is_dir() else "no file"
        raise BenchmarkError(str(file), [f"got {got}; give a text file with a class a line, such as {_EXAMPLE}"])
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BenchmarkError(str(file), [f"no text in UTF-8 ({error}); give a file such as {_EXAMPLE}"]) from error
    names = [re.sub(r"^\s*\d+\s+", "", line).strip() for line in lines if line.strip()]
    if not names:
        raise BenchmarkError(str(file), [f"it names no class; give a file with a class a line, such as {_EXAMPLE}"])
    return names


def _table(attributes: GraphAttributes) -> str:
    schema, pairs = attributes.schema, attributes.degrees.sum(axis=0)
    shown = []
    for prompt, rows in zip(schema.prompts, schema.prompt_sets, strict=True):
        some = ", ".join(schema.attributes[row].name for row in rows[:3])
        shown.append((prompt, len(rows), int(pairs[list(rows)].sum()), some))
    return table(("relation as prompt", "attributes", "pairs", "such as"), shown)
