"""Attributes of classes from a knowledge graph: what lies h steps from a class, the relation as prompt (4.1, 4.3.2)."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np

from duet_core.attributes import AttributeSchema
from duet_core.benchmarks.benchmark import Benchmark, BenchmarkError
from duet_core.benchmarks.triples import TripleGraph, local, relation_words, words
from duet_core.classes import ClassTable, FloatArray

_LOGGER = logging.getLogger(__name__)
_SUBCLASS = "subclassof"


@dataclass(frozen=True)
class GraphAttributes:
    """What a graph says of C classes. Letter key: C classes, A attributes.

    Attributes:
        schema: the A attributes; the prompt is the relation in words, the name that of the entity.
        entities: (A,) the graph's entity behind each attribute.
        class_entities: (C,) the graph's entity of each class.
        degrees: (C, A) 1 where the entity lies h steps from the class, else 0.
    """

    schema: AttributeSchema
    entities: tuple[str, ...]
    class_entities: tuple[str, ...]
    degrees: FloatArray


def graph_attributes(graph: TripleGraph, class_names: Sequence[str], *, hops: int = 1) -> GraphAttributes:
    """The attributes of classes: the entities whose shortest path from the class has exactly `hops` steps.

    A path follows the direction of the relations. Its relation is the first that is not subClassOf (else that): a zebra
    that has the part four legs, a subclass of leg, has the part leg at two steps. An entity that is reached by shortest
    paths of several relations is one attribute of each. Attributes are in the order of the entities' ids.

    Args:
        graph: see `read_graph`.
        class_names: (C,) in label order; "+", "_", spaces, case and a leading "001." make no difference.
        hops: h, at least 1; the paper has 1.

    Raises:
        BenchmarkError: classes that are not in the graph or are there twice, classes without an attribute, attributes
            of equal spelling; all of them at once. ValueError for `hops` below 1.
    """
    if hops < 1:
        raise ValueError(f"hops: got {hops}; allowed is 1 or more, the paper has 1")
    found, problems = _class_entities(graph, class_names)
    steps: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for subject, relation, thing in graph.triples:
        steps[subject].append((relation, thing))
    reached = {entity: _reached(steps, entity, hops) for entity in found if entity is not None}
    for name, entity in zip(class_names, found, strict=True):
        if entity is not None and not reached[entity]:
            problems.append(f"class {name!r} ({entity}) has nothing at {hops} steps, so no attribute; lower the hops")
    pairs = sorted({pair for held in reached.values() for pair in held}, key=lambda pair: (pair[1], pair[0]))
    problems += _spelling_problems(graph, pairs)
    if problems:
        raise BenchmarkError("knowledge graph", problems)
    entities = tuple(entity for entity in found if entity is not None)
    return GraphAttributes(
        schema=AttributeSchema.from_pairs((prompt, graph.name(entity)) for prompt, entity in pairs),
        entities=tuple(entity for _, entity in pairs),
        class_entities=entities,
        degrees=np.array([[pair in reached[entity] for pair in pairs] for entity in entities], dtype=np.float32),
    )


def with_knowledge_graph(base: Benchmark, graph: TripleGraph, *, hops: int = 1) -> tuple[Benchmark, GraphAttributes]:
    """The photos, labels and splits of `base` with attributes from a graph; and these attributes.

    Raises BenchmarkError as `graph_attributes` does, with every problem.
    """
    attributes = graph_attributes(graph, base.classes.names, hops=hops)
    classes = ClassTable(names=base.classes.names, raw=attributes.degrees, seen=base.classes.seen)
    strange = [
        key for key, held in zip(attributes.schema.keys, classes.present[classes.seen].T, strict=True) if not held.any()
    ]
    _LOGGER.info(
        "%s: %d relations as prompts, %d attributes at h = %d, %d pairs of class and attribute",
        *(base.name, len(attributes.schema.prompts), len(attributes.schema), hops, int(attributes.degrees.sum())),
    )
    if strange:
        _LOGGER.info("%d attributes are of unseen classes only and never asked: %s", len(strange), ", ".join(strange))
    return replace(base, name=f"{base.name}-KG", schema=attributes.schema, classes=classes), attributes


def folded(name: str) -> str:
    """The spelling under which a class is looked for: no number before it, case and "+", "_" and spaces alike."""
    return words(re.sub(r"^\d+\.", "", name)).casefold()


def _class_entities(graph: TripleGraph, class_names: Sequence[str]) -> tuple[list[str | None], list[str]]:
    """The entity of each class, None where there is none or no single one, and what to say about these."""
    known = graph.classes or {entity: graph.name(entity) for entity in {subject for subject, _, _ in graph.triples}}
    by_name: dict[str, list[str]] = defaultdict(list)
    for entity, name in sorted(known.items()):
        by_name[folded(name)].append(entity)
    found: list[str | None] = []
    problems = []
    for name in class_names:
        entities = by_name.get(folded(name), [])
        if not entities:
            near = get_close_matches(folded(name), by_name, n=3, cutoff=0.0)
            problems.append(f"class {name!r} is not in the graph; the nearest names are {', '.join(near)}")
        elif len(entities) > 1:
            problems.append(
                f"class {name!r} is {len(entities)} entities: {', '.join(entities)}; list one in class.json"
            )
        found.append(entities[0] if len(entities) == 1 else None)
    return found, problems


def _reached(steps: Mapping[str, Sequence[tuple[str, str]]], start: str, hops: int) -> set[tuple[str, str]]:
    """(relation in words, entity) of what lies exactly `hops` steps from `start`, breadth first."""
    nearer = {start}
    front: dict[str, set[str]] = {start: {""}}
    for _ in range(hops):
        following: dict[str, set[str]] = defaultdict(set)
        for entity, relations in front.items():
            for relation, thing in steps.get(entity, ()):
                if thing not in nearer:
                    following[thing] |= {_of_path(so_far, relation) for so_far in relations}
        nearer |= following.keys()
        front = following
    return {(relation_words(relation), entity) for entity, relations in front.items() for relation in relations}


def _of_path(so_far: str, step: str) -> str:
    """The relation of a path that goes one step further: the first that is not subClassOf, else subClassOf."""
    return step if not so_far or local(so_far).lower() == _SUBCLASS else so_far


def _spelling_problems(graph: TripleGraph, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Attributes that sentences could not tell apart."""
    spelled: dict[str, list[str]] = defaultdict(list)
    for prompt, entity in pairs:
        spelled[f"{prompt}: {graph.name(entity)}".lower()].append(entity)
    return [
        f"attribute {key!r} is {len(entities)} entities: {', '.join(entities)}; give them different names"
        for key, entities in spelled.items()
        if len(entities) > 1
    ]
