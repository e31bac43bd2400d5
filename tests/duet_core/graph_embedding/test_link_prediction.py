"""Ranks against an explicit loop, chance as it is, and what may be held out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from duet_core.graph_embedding import Embedding, NumberedGraph, hold_out, link_prediction, number


def small(seed: int) -> tuple[NumberedGraph, Embedding]:
    random = np.random.default_rng(seed)
    triples = {(f"e{random.integers(15)}", f"r{random.integers(3)}", f"e{random.integers(15)}") for _ in range(60)}
    graph, generator = number(sorted(triples)), torch.Generator().manual_seed(seed)
    return graph, Embedding(
        torch.rand(len(graph.entities), 4, generator=generator),
        torch.rand(len(graph.relations), 4, generator=generator),
    )


def ranks_by_loop(graph: NumberedGraph, embedding: Embedding, norm: int) -> tuple[list[float], list[int]]:
    known = {tuple(row) for row in graph.triples.tolist()}
    ranks, counts = [], []

    def d(head: int, relation: int, tail: int) -> float:
        gap = embedding.entities[head] + embedding.relations[relation] - embedding.entities[tail]
        return float(gap.abs().sum() if norm == 1 else gap.square().sum().sqrt())

    for head, relation, tail in known:
        for at_head in (True, False):
            rank, count = 1.0, 1
            for entity in range(len(graph.entities)):
                other = (entity, relation, tail) if at_head else (head, relation, entity)
                if other in known:
                    continue
                count += 1
                rank += d(*other) < d(head, relation, tail)
            ranks.append(rank)
            counts.append(count)
    return ranks, counts


@pytest.mark.parametrize("norm", [1, 2])
def test_filtered_ranks_equal_the_loop(norm: int) -> None:
    graph, embedding = small(2)
    ranks, counts = ranks_by_loop(graph, embedding, norm)
    found = link_prediction(graph, embedding, graph.triples, norm=norm)
    assert found.count == len(graph.triples)
    assert found.mean_rank == pytest.approx(np.mean(ranks))
    assert found.hits == pytest.approx(np.mean([rank <= 10 for rank in ranks]))
    assert found.chance_mean_rank == pytest.approx(np.mean([(count + 1) / 2 for count in counts]))
    assert found.chance_hits == pytest.approx(np.mean([min(1, 10 / count) for count in counts]))
    assert f"mean rank {found.mean_rank:.1f} (chance {found.chance_mean_rank:.1f})" in str(found)


def test_an_embedding_that_tells_nothing_apart_ranks_as_chance_does() -> None:
    graph, embedding = small(3)
    same = Embedding(torch.ones_like(embedding.entities), embedding.relations)
    found = link_prediction(graph, same, graph.triples, norm=2)
    assert found.mean_rank == pytest.approx(found.chance_mean_rank)
    with pytest.raises(ValueError, match="no triple to predict"):
        link_prediction(graph, same, graph.triples[:0], norm=2)


def test_every_name_of_a_held_out_triple_stays_in_training() -> None:
    graph, _ = small(4)
    kept, held = hold_out(graph, 0.3, seed=0)
    assert len(held) == round(0.3 * len(graph.triples))
    assert sorted(map(tuple, torch.cat([kept, held]).tolist())) == sorted(map(tuple, graph.triples.tolist()))
    assert set(held[:, [0, 2]].flatten().tolist()) <= set(kept[:, [0, 2]].flatten().tolist())
    assert set(held[:, 1].tolist()) <= set(kept[:, 1].tolist())
    assert torch.equal(hold_out(graph, 0.3, seed=0)[1], held)
    assert not torch.equal(hold_out(graph, 0.3, seed=1)[1], held)
    assert len(hold_out(graph, 0, seed=0)[1]) == 0
    with pytest.raises(ValueError, match="holdout: got 1; allowed is 0 to below 1"):
        hold_out(graph, 1, seed=0)


def test_names_that_occur_once_are_never_held_out() -> None:
    graph = number([("a", "r", "b"), ("c", "r", "d"), ("a", "s", "c"), ("a", "r", "d")])
    _, held = hold_out(graph, 0.9, seed=0)
    assert [graph.entities[row] for row in held[:, 0].tolist()] in (["a"], ["c"])
    assert [graph.entities[row] for row in held[:, 2].tolist()] == ["d"]
