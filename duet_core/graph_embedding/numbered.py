"""A knowledge graph as numbers: rows of entities and relations in place of names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from duet_core.benchmarks.triples import Triple


@dataclass(frozen=True)
class NumberedGraph:
    """n triples of E entities and R relations.

    Attributes:
        entities: E names, sorted.
        relations: R names, sorted.
        triples: (n, 3) int64 rows: head (the subject), relation, tail (the object).
    """

    entities: tuple[str, ...]
    relations: tuple[str, ...]
    triples: Tensor

    def keys(self, triples: Tensor) -> Tensor:
        """(n,) one int64 for each triple (n, 3), different for different triples."""
        return (triples[:, 0] * len(self.relations) + triples[:, 1]) * len(self.entities) + triples[:, 2]


def number(triples: Sequence[Triple]) -> NumberedGraph:
    """The triples by number. The order of names is alphabetical, whatever the order of the triples."""
    entities = tuple(sorted({entity for head, _, tail in triples for entity in (head, tail)}))
    relations = tuple(sorted({relation for _, relation, _ in triples}))
    place = {name: row for row, name in enumerate(entities)}
    kind = {name: row for row, name in enumerate(relations)}
    rows = sorted({(place[head], kind[relation], place[tail]) for head, relation, tail in triples})
    return NumberedGraph(entities, relations, torch.tensor(rows).view(-1, 3))
