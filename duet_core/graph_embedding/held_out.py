"""Triples kept out of training, so that link prediction says something about triples never seen."""

from __future__ import annotations

import torch
from torch import Tensor

from duet_core.graph_embedding.numbered import NumberedGraph


def hold_out(graph: NumberedGraph, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Rows (n, 3) to train on and rows (m, 3) kept out, m at most round(share · all).

    Drawn at random among those whose head, tail and relation occur in a triple that stays: of a name never trained
    nothing could be predicted.

    Raises ValueError for a share outside 0 to below 1.
    """
    if not 0 <= share < 1:
        raise ValueError(f"holdout: got {share}; allowed is 0 to below 1, such as 0.05")
    wanted = round(share * len(graph.triples))
    entities = torch.bincount(graph.triples[:, [0, 2]].flatten(), minlength=len(graph.entities))
    relations = torch.bincount(graph.triples[:, 1], minlength=len(graph.relations))
    out = torch.zeros(len(graph.triples), dtype=torch.bool)
    order = torch.randperm(len(graph.triples), generator=torch.Generator().manual_seed(seed))
    for row in order.tolist():
        if int(out.sum()) == wanted:
            break
        head, relation, tail = graph.triples[row].tolist()
        entities[head] -= 1
        entities[tail] -= 1
        relations[relation] -= 1
        if min(int(entities[head]), int(entities[tail]), int(relations[relation])) >= 1:
            out[row] = True
        else:
            entities[head] += 1
            entities[tail] += 1
            relations[relation] += 1
    return graph.triples[~out], graph.triples[out]
