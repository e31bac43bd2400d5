"""TransE: vectors for the entities of a knowledge graph, learned from its triples, and how well they predict others."""

from duet_core.graph_embedding.held_out import hold_out
from duet_core.graph_embedding.link_prediction import LinkPrediction, link_prediction
from duet_core.graph_embedding.numbered import NumberedGraph, number
from duet_core.graph_embedding.transe import Embedding, TransEOptions, train_transe

__all__ = [
    "Embedding",
    "LinkPrediction",
    "NumberedGraph",
    "TransEOptions",
    "hold_out",
    "link_prediction",
    "number",
    "train_transe",
]
