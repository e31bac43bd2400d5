"""The report on a folder with a knowledge graph (AWA2-KG): what it says of its classes, beside the paper's Table 2."""

from __future__ import annotations

from pathlib import Path

from duet_core.benchmarks.benchmark import BenchmarkError
from duet_core.benchmarks.check_table import Check, Report
from duet_core.benchmarks.knowledge_graph import GraphAttributes, graph_attributes
from duet_core.benchmarks.official import table_2
from duet_core.benchmarks.triples import TripleGraph, read_graph

_HOPS = 1
"""The paper's h."""


def is_graph_folder(root: Path) -> bool:
    """Whether triples lie there, and no splits: a graph holds neither photos nor splits."""
    return any(root.glob("*_triples.txt")) and not (root / "att_splits.mat").exists()


def graph_report(root: Path) -> Report:
    """Every check of the graph in `root`: triples, names, classes, and the attributes that lie one step from them."""
    title = f"{root}: knowledge graph"
    try:
        graph = read_graph(root)
    except BenchmarkError as error:
        return Report(title, [*_wrong("triples", error), Check("attributes", "skipped", "waits for triples")])
    checks = [
        Check("triples", "ok", f"{len(graph.triples):,}, {len(graph.relations)} relations"),
        _names(graph),
        _classes(graph),
    ]
    if not graph.classes:
        return Report(title, [*checks, Check("attributes", "skipped", "waits for class.json")])
    try:
        found = graph_attributes(graph, sorted(graph.classes.values()), hops=_HOPS)
    except BenchmarkError as error:
        return Report(title, [*checks, *_wrong("attributes", error)])
    return Report(title, [*checks, *_attributes(found), _PHOTOS], _table(found), ("Table 2", "here", "paper"))


_PHOTOS = Check(
    "photos and splits",
    "skipped",
    "not in a graph",
    advice="they are those of AWA2: its folder is data.root of a recipe, this one data.graph (awa2_kg.yaml)",
)


def _wrong(name: str, error: BenchmarkError) -> list[Check]:
    return [Check(name, "wrong", problem) for problem in error.problems]


def _names(graph: TripleGraph) -> Check:
    unnamed = [entity for entity in graph.entities if entity not in graph.names]
    got = f"{len(graph.entities) - len(unnamed)} of {len(graph.entities)} entities"
    advice = f"others go by their id: {', '.join(unnamed[:3])}, …" if unnamed else ""
    return Check("names", "ok", got, advice=advice)


def _classes(graph: TripleGraph) -> Check:
    if graph.classes:
        return Check("class.json", "ok", f"{len(graph.classes)} classes in the graph")
    advice = 'list them: {"seen": {"n02391049": "zebra"}, "unseen": {…}}'
    return Check("class.json", "missing", "no class of it is in the graph", advice=advice)


def _attributes(found: GraphAttributes) -> list[Check]:
    pairs = f"{len(found.schema)} under {len(found.schema.prompts)} relations, {int(found.degrees.sum()):,} pairs"
    least = int(found.degrees.sum(axis=1).min())
    return [
        Check(f"attributes, h = {_HOPS}", "ok", pairs),
        Check("attributes of a class", "ok", f"{least} to {int(found.degrees.sum(axis=1).max())}", "1 or more"),
    ]


def _table(found: GraphAttributes) -> list[tuple[str, str, str]]:
    """Prompt sets, attributes and classes; what needs photos is AWA2's."""
    counts = {"prompts": len(found.schema.prompts), "attributes": len(found.schema)}
    return table_2("AWA2-KG", **counts, classes=str(len(found.class_entities)), photos=(0, 0))[:3]
