"""TransE against explicit loops, on a toy graph, and twice from one seed."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from duet_core.graph_embedding import (
    Embedding,
    NumberedGraph,
    TransEOptions,
    hold_out,
    link_prediction,
    number,
    train_transe,
)
from duet_core.graph_embedding.transe import corrupt, distances, start, step

FAMILIES = 4
OPTIONS = TransEOptions(dimensions=12, epochs=60, batch_size=16, margin=1.0)


def toy() -> NumberedGraph:
    """Four families of five animals: all of a family have its three looks, and it has a parent."""
    triples = [
        (f"animal {family} {row}", relation, f"look {family} {look}")
        for family in range(FAMILIES)
        for row in range(5)
        for look, relation in enumerate(("has color", "has part", "eats"))
    ]
    triples += [
        (f"animal {family} {row}", "is a", f"family {family}") for family in range(FAMILIES) for row in range(5)
    ]
    return number(triples)


def step_by_loop(
    entities: NDArray[np.float64], relations: NDArray[np.float64], pairs: list[tuple[Tensor, Tensor]], o: TransEOptions
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Algorithm 1 of the paper, one pair after the other, derivatives written out."""
    entities = np.array([row / np.sqrt(sum(x * x for x in row)) for row in entities])
    to_entities, to_relations, total = np.zeros_like(entities), np.zeros_like(relations), 0.0

    def slope(triple: Tensor) -> tuple[float, NDArray[np.float64]]:
        head, relation, tail = triple.tolist()
        gap = entities[head] + relations[relation] - entities[tail]
        if o.norm == 1:
            return float(sum(abs(x) for x in gap)), np.sign(gap)
        length = float(np.sqrt(sum(x * x for x in gap)))
        return length, gap / length

    for true, false in pairs:
        near, far = slope(true), slope(false)
        if o.margin + near[0] - far[0] <= 0:
            continue
        total += o.margin + near[0] - far[0]
        for sign, triple, direction in ((1, true, near[1]), (-1, false, far[1])):
            head, relation, tail = triple.tolist()
            to_entities[head] += sign * direction
            to_relations[relation] += sign * direction
            to_entities[tail] -= sign * direction
    return total, entities - o.learning_rate * to_entities, relations - o.learning_rate * to_relations


@pytest.mark.parametrize("norm", [1, 2])
@pytest.mark.parametrize("margin", [0.3, 2.0])
def test_a_step_equals_the_loop(norm: int, margin: float) -> None:
    graph, generator = toy(), torch.Generator().manual_seed(3)
    options = TransEOptions(dimensions=6, margin=margin, norm=1 if norm == 1 else 2, learning_rate=0.05)
    embedding = start(graph, options, generator)
    true = graph.triples[torch.randperm(len(graph.triples), generator=generator)[:20]]
    false = corrupt(graph, true, graph.keys(graph.triples), generator)
    total, entities, relations = step_by_loop(
        embedding.entities.double().numpy(),
        embedding.relations.double().numpy(),
        list(zip(true, false, strict=True)),
        options,
    )
    before = copy.deepcopy(embedding)
    assert step(embedding, true, false, options) == pytest.approx(total, rel=1e-5)
    np.testing.assert_allclose(embedding.entities.numpy(), entities, atol=1e-5)
    np.testing.assert_allclose(embedding.relations.numpy(), relations, atol=1e-5)
    assert not torch.equal(embedding.relations, before.relations)


def test_corruptions_change_one_end_and_are_never_true() -> None:
    graph, generator = toy(), torch.Generator().manual_seed(4)
    many = graph.triples.repeat(30, 1)
    false = corrupt(graph, many, graph.keys(graph.triples), generator)
    changed = false != many
    assert not changed[:, 1].any()
    assert (changed.sum(dim=1) == 1).all()
    assert changed[:, 0].double().mean() == pytest.approx(0.5, abs=0.05)
    known = {tuple(row) for row in graph.triples.tolist()}
    assert not known & {tuple(row) for row in false.tolist()}
    drawn = torch.bincount(false[changed[:, 0], 0], minlength=len(graph.entities))
    assert (drawn > 0).all()  # any entity may stand in


def test_a_triple_that_cannot_be_corrupted_is_named() -> None:
    graph = number([(head, "knows", tail) for head in "ab" for tail in "ab"])
    with pytest.raises(ValueError, match="the triple a knows a cannot be corrupted"):
        corrupt(graph, graph.triples, graph.keys(graph.triples), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("norm", [1, 2])
def test_true_triples_come_to_lie_nearer_than_corrupted_ones(norm: int) -> None:
    graph = toy()
    options = replace(OPTIONS, norm=1 if norm == 1 else 2)
    generator = torch.Generator().manual_seed(9)
    false = corrupt(graph, graph.triples.repeat(5, 1), graph.keys(graph.triples), generator)

    def share(embedding: Embedding) -> float:
        true = distances(embedding, graph.triples, norm).repeat(5)
        return float((true < distances(embedding, false, norm)).double().mean())

    untrained = start(graph, options, torch.Generator().manual_seed(0))
    trained = train_transe(graph, options)
    assert share(untrained) < 0.7
    assert share(trained) > 0.95
    torch.testing.assert_close(trained.entities.norm(dim=1), torch.ones(len(graph.entities)))


def test_held_out_triples_are_predicted_better_than_by_chance() -> None:
    graph = toy()
    kept, held = hold_out(graph, 0.1, seed=1)
    found = link_prediction(graph, train_transe(graph, OPTIONS, kept), held, norm=2)
    assert found.count == 8
    assert found.mean_rank < found.chance_mean_rank / 2
    assert found.hits > found.chance_hits + 0.2


def test_the_seed_decides_everything() -> None:
    graph, first = toy(), train_transe(toy(), OPTIONS)
    again = train_transe(number([graph_triple(graph, row) for row in reversed(graph.triples)]), OPTIONS)
    assert torch.equal(first.entities, again.entities)
    assert torch.equal(first.relations, again.relations)
    other = train_transe(graph, replace(OPTIONS, seed=1))
    assert not torch.allclose(first.entities, other.entities, atol=0.1)


def graph_triple(graph: NumberedGraph, row: Tensor) -> tuple[str, str, str]:
    head, relation, tail = row.tolist()
    return graph.entities[head], graph.relations[relation], graph.entities[tail]


def test_options_without_meaning_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"dimensions: got 0(.|\n)*epochs: got 0(.|\n)*margin: got 0") as caught:
        TransEOptions(dimensions=0, epochs=0, margin=0)
    assert len(str(caught.value).splitlines()) == 3
