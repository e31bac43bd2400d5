"""TransE (Bordes et al., 2013): an entity plus a relation shall lie where the relation leads."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from duet_core.graph_embedding.numbered import NumberedGraph

_LOGGER = logging.getLogger(__name__)
_MOST_ROUNDS = 200
_REPORTS = 10


@dataclass(frozen=True, kw_only=True)
class TransEOptions:
    """How TransE is trained.

    Attributes:
        dimensions: K, length of the vectors.
        epochs: passes over the triples.
        batch_size: triples of a step.
        learning_rate: of plain gradient descent on the sum over the batch, as in the paper's Algorithm 1.
        margin: how much nearer a true triple shall be than its corruption.
        norm: d is the L1 or the L2 norm.
        seed: of the start, the order and the corruptions.
    """

    dimensions: int = 100
    epochs: int = 500
    batch_size: int = 128
    learning_rate: float = 0.01
    margin: float = 0.5
    norm: Literal[1, 2] = 2
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = [
            f"{name}: got {value}; allowed is {least} or more, such as {example}"
            for name, value, least, example in (
                ("dimensions", self.dimensions, 1, 100),
                ("epochs", self.epochs, 1, 500),
                ("batch_size", self.batch_size, 1, 128),
            )
            if value < least
        ]
        wrong += [
            f"{name}: got {value}; allowed is above 0, such as {example}"
            for name, value, example in (("learning_rate", self.learning_rate, 0.01), ("margin", self.margin, 1))
            if not value > 0
        ]
        if wrong:
            raise ValueError("\n".join(wrong))


@dataclass(frozen=True)
class Embedding:
    """Vectors of E entities (E, K), each of length 1, and of R relations (R, K), float32."""

    entities: Tensor
    relations: Tensor


def distances(embedding: Embedding, triples: Tensor, norm: int) -> Tensor:
    """(n,) d(head + relation, tail) of triples (n, 3): small where a triple is believed."""
    head, relation, tail = triples.unbind(dim=1)
    gap = embedding.entities[head] + embedding.relations[relation] - embedding.entities[tail]  # (n, K)
    return lengths(gap, norm)


def lengths(rows: Tensor, norm: int) -> Tensor:
    """(n,) L1 or L2 norms of rows (n, K)."""
    found: Tensor = torch.linalg.vector_norm(rows, ord=norm, dim=1)
    return found


def margin_loss(embedding: Embedding, true: Tensor, corrupted: Tensor, *, margin: float, norm: int) -> Tensor:
    """Σ max(0, margin + d(true) - d(corrupted)) over pairs of triples (n, 3): Bordes et al., Eq. 1."""
    return (margin + distances(embedding, true, norm) - distances(embedding, corrupted, norm)).clamp(min=0).sum()


def corrupt(graph: NumberedGraph, triples: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
    """Each triple (n, 3) with its head or its tail, as a coin decides, replaced by an entity drawn uniformly.

    Filtered: what is drawn again and again until it is none of the triples with the keys `known` (m,).

    Raises ValueError when nearly every corruption of a triple is a triple itself.
    """
    at_head = torch.rand(len(triples), generator=generator) < 0.5
    corrupted = triples.clone()
    open_rows = torch.arange(len(triples))
    for _ in range(_MOST_ROUNDS):
        drawn = torch.randint(len(graph.entities), (len(open_rows),), generator=generator)
        corrupted[open_rows, torch.where(at_head[open_rows], 0, 2)] = drawn
        open_rows = open_rows[torch.isin(graph.keys(corrupted[open_rows]), known)]
        if not len(open_rows):
            return corrupted
    head, relation, tail = triples[open_rows[0]].tolist()
    raise ValueError(
        f"the triple {graph.entities[head]} {graph.relations[relation]} {graph.entities[tail]} cannot be corrupted: "
        "nearly every entity in its place gives a triple of the graph; leave this relation out"
    )


def start(graph: NumberedGraph, options: TransEOptions, generator: torch.Generator) -> Embedding:
    """Uniform in ±6/√K; relations are scaled to length 1 now and never again, entities before each step."""
    bound = 6 / options.dimensions**0.5
    entities, relations = (
        (2 * torch.rand(count, options.dimensions, generator=generator) - 1) * bound
        for count in (len(graph.entities), len(graph.relations))
    )
    return Embedding(entities, torch.nn.functional.normalize(relations, dim=1))


def step(embedding: Embedding, true: Tensor, corrupted: Tensor, options: TransEOptions) -> float:
    """Scale the entities to length 1, then one step down the gradient of the margin loss, in place; the loss before."""
    embedding.entities.copy_(torch.nn.functional.normalize(embedding.entities, dim=1))
    leaves = Embedding(*(part.detach().requires_grad_() for part in (embedding.entities, embedding.relations)))
    loss = margin_loss(leaves, true, corrupted, margin=options.margin, norm=options.norm)
    gradients = torch.autograd.grad(loss, (leaves.entities, leaves.relations))
    for part, gradient in zip((embedding.entities, embedding.relations), gradients, strict=True):
        part.sub_(options.learning_rate * gradient)
    return float(loss.detach())


def train_transe(graph: NumberedGraph, options: TransEOptions, triples: Tensor | None = None) -> Embedding:
    """Train on `triples` (n, 3), those of the graph when not given; the same seed gives the same vectors.

    Progress with an estimate of the time left is logged ten times.
    """
    triples = graph.triples if triples is None else triples
    generator = torch.Generator().manual_seed(options.seed)
    embedding, known = start(graph, options, generator), graph.keys(triples)
    started = time.monotonic()
    for epoch in range(1, options.epochs + 1):
        order = torch.randperm(len(triples), generator=generator)
        total = 0.0
        for rows in torch.split(order, options.batch_size):
            total += step(embedding, triples[rows], corrupt(graph, triples[rows], known, generator), options)
        if epoch % max(options.epochs // _REPORTS, 1) == 0 or epoch == options.epochs:
            left = (time.monotonic() - started) * (options.epochs - epoch) / epoch
            _LOGGER.info("epoch %d of %d: loss %.4f, %.0f s left", epoch, options.epochs, total / len(triples), left)
    return Embedding(torch.nn.functional.normalize(embedding.entities, dim=1), embedding.relations)
