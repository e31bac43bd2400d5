"""`duet kg-embed`: vectors for the entities of a knowledge graph, by TransE."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from duet_core.benchmarks.triples import read_graph


def run(
    graph: Path,
    *,
    out: Path = Path("embedding.npz"),
    dimensions: int = 100,
    epochs: int = 500,
    batch_size: int = 128,
    learning_rate: float = 0.01,
    margin: float = 0.5,
    norm: Literal[1, 2] = 2,
    seed: int = 0,
    holdout: float = 0.05,
) -> Iterator[str]:
    """Train TransE (Bordes et al., 2013) on the triples of a graph; the file is for a recipe's data.class_embedding.

    First a share of the triples is held out and predicted by a training without them, to show what the vectors know;
    then the vectors that are written are trained on all triples.

    Args:
        graph: a folder with *_triples.txt files, or one file of tab-separated triples.
        out: the .npz to write; replaced when it exists.
        dimensions: length of the vectors.
        epochs: passes over the triples.
        batch_size: triples of a step.
        learning_rate: of gradient descent on the sum over a batch.
        margin: how much nearer a true triple shall be than a corrupted one.
        norm: distances are L1 or L2 norms.
        seed: of start, order, corruptions and of what is held out.
        holdout: share of the triples that are predicted; 0 to skip this.

    Raises ValueError for another ending than .npz, or options without meaning; BenchmarkError for a broken graph.
    """
    from duet_core.graph_embedding import TransEOptions, hold_out, link_prediction, number, train_transe

    if out.suffix != ".npz":
        raise ValueError(f"out: got {out}; allowed is a file that ends with .npz, such as embedding.npz")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = TransEOptions(
        dimensions=dimensions,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        margin=margin,
        norm=norm,
        seed=seed,
    )
    numbered = number(read_graph(graph).triples)
    counts = f"{len(numbered.triples)} triples, {len(numbered.entities)} entities, {len(numbered.relations)} relations"
    yield f"{graph}: {counts}"
    figures: dict[str, Any] = {}
    kept, held = hold_out(numbered, holdout, seed)
    if len(held):
        predicted = link_prediction(numbered, train_transe(numbered, options, kept), held, norm=norm)
        yield f"held out {predicted}"
        figures["held_out"] = dataclasses.asdict(predicted)
    started = time.monotonic()
    embedding = train_transe(numbered, options)
    seconds = time.monotonic() - started
    learned = link_prediction(numbered, embedding, numbered.triples, norm=norm)
    yield f"learned  {learned}"
    figures["learned"] = dataclasses.asdict(learned)
    _write(
        out,
        entities=np.array(numbered.entities),
        relations=np.array(numbered.relations),
        entity_vectors=embedding.entities.numpy(),
        relation_vectors=embedding.relations.numpy(),
        training=np.array(json.dumps({"graph": counts, "options": dataclasses.asdict(options), **figures})),
    )
    yield f"{out}: {dimensions} numbers for each entity, trained in {seconds:.0f} s"


def _write(out: Path, **arrays: Any) -> None:
    """The file appears whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.tmp")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)
    unfinished.replace(out)
