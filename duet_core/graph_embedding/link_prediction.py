"""Link prediction: which entity completes a triple? Mean rank and hits@10, filtered, beside chance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from duet_core.graph_embedding.numbered import NumberedGraph
from duet_core.graph_embedding.transe import Embedding, lengths

_BEST = 10


@dataclass(frozen=True)
class LinkPrediction:
    """Figures over the heads and the tails of `count` triples.

    Attributes:
        count: triples asked about; each asks for its head and for its tail.
        mean_rank: mean rank of the right entity among those not known to be right too; 1 is best.
        hits: share of right entities among the ten best, 0…1.
        chance_mean_rank, chance_hits: what equal candidates in random order would give.
    """

    count: int
    mean_rank: float
    hits: float
    chance_mean_rank: float
    chance_hits: float

    def __str__(self) -> str:
        return (
            f"{self.count} triples: mean rank {self.mean_rank:.1f} (chance {self.chance_mean_rank:.1f}), "
            f"hits@{_BEST} {100 * self.hits:.1f} % (chance {100 * self.chance_hits:.1f} %)"
        )


def link_prediction(graph: NumberedGraph, embedding: Embedding, asked: Tensor, *, norm: int) -> LinkPrediction:
    """Rank the right head and the right tail of triples `asked` (n, 3) among all entities.

    Filtered: other entities that complete a triple of the graph are no candidates. Ties count half, so that an
    embedding that tells nothing apart ranks as chance does.

    Raises ValueError when no triple is asked about.
    """
    if not len(asked):
        raise ValueError("no triple to predict; hold out more, for example 0.05 of them")
    ranks, candidates = [], []
    for row in asked:
        for place in (0, 2):
            distance = _completions(embedding, row, place, norm)  # (E,)
            rest = _rest(graph, row, place)
            right = distance[row[place]]
            ranks.append(1 + int((distance[rest] < right).sum()) + int((distance[rest] == right).sum()) / 2)
            candidates.append(1 + int(rest.sum()))
    rank, count = torch.tensor(ranks, dtype=torch.float64), torch.tensor(candidates, dtype=torch.float64)
    return LinkPrediction(
        count=len(asked),
        mean_rank=float(rank.mean()),
        hits=float((rank <= _BEST).double().mean()),
        chance_mean_rank=float(((count + 1) / 2).mean()),
        chance_hits=float((_BEST / count).clamp(max=1).mean()),
    )


def _completions(embedding: Embedding, row: Tensor, place: int, norm: int) -> Tensor:
    """(E,) d of the triple with each entity as its head (place 0) or its tail (place 2)."""
    head, relation, tail = row.tolist()
    shift = embedding.relations[relation]
    if place == 0:
        return lengths(embedding.entities + shift - embedding.entities[tail], norm)
    return lengths(embedding.entities[head] + shift - embedding.entities, norm)


def _rest(graph: NumberedGraph, row: Tensor, place: int) -> Tensor:
    """(E,) bool: the candidates beside the right one, all that complete no triple of the graph."""
    others = [1, 2 - place]
    matching = (graph.triples[:, others] == row[others]).all(dim=1)
    rest = torch.ones(len(graph.entities), dtype=torch.bool)
    rest[graph.triples[matching, place]] = False
    return rest
