"""Class embeddings of a knowledge graph, read from files; and whether their rows are in the order of the classes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from duet_core.benchmarks.benchmark import BenchmarkError
from duet_core.classes import FloatArray, unit_rows

_LOGGER = logging.getLogger(__name__)
MAT_KEYS = ("embeddings", "k2v", "o2v")
"""Under which the authors (the first) and OntoZSL publish theirs."""
_SHUFFLES = 999


def read_class_embedding(path: Path, class_names: Sequence[str], class_entities: Sequence[str]) -> FloatArray:
    """(C, K) one row for each class, as the file has it: not scaled.

    A ``.npz`` of ``duet kg-embed`` names its entities, so rows are found by name. A ``.mat`` has rows in the order of
    the classes, under one of `MAT_KEYS`, and nothing to check that by but `order_agreement`.

    Args:
        path: the file.
        class_names: (C,) in label order, for messages.
        class_entities: (C,) the graph's entity of each class.

    Raises:
        BenchmarkError: no such file, another kind of file, rows that are missing, 0 or not finite; all of them at once.
    """
    if not path.is_file():
        raise BenchmarkError(str(path), [f"{path.name} is missing; `duet kg-embed GRAPH --out {path.name}` makes one"])
    if path.suffix == ".npz":
        vectors = _from_npz(path, class_names, class_entities)
    elif path.suffix == ".mat":
        vectors = _from_mat(path, len(class_names))
    else:
        raise BenchmarkError(str(path), [f"got a {path.suffix or 'nameless'} file; allowed are .npz and .mat"])
    wrong = [
        f"class {name!r} has a vector that is 0 or not finite"
        for name, row in zip(class_names, vectors, strict=True)
        if not np.isfinite(row).all() or not row.any()
    ]
    if wrong:
        raise BenchmarkError(str(path), wrong)
    return vectors


def order_agreement(vectors: FloatArray, degrees: FloatArray) -> tuple[float, float]:
    """How well distances between class vectors (C, K) go with those between attributes (C, A), row for row.

    Returns the correlation over all pairs of classes, and the highest one with the classes of `vectors` shuffled (999
    times, always the same): rows in the right order lie far above it, rows in another order do not (a Mantel test).
    """
    pairs = np.triu_indices(len(vectors), 1)
    ours = _distances(unit_rows(vectors))
    theirs = _distances(degrees)[pairs]
    random = np.random.default_rng(0)
    shuffled = (random.permutation(len(vectors)) for _ in range(_SHUFFLES))
    best = max(_correlation(ours[np.ix_(order, order)][pairs], theirs) for order in shuffled)
    return _correlation(ours[pairs], theirs), best


def report_order(path: Path, vectors: FloatArray, degrees: FloatArray) -> str:
    """The agreement in words, logged: as a warning where shuffled rows agree as well."""
    agreement, shuffled = order_agreement(vectors, degrees)
    text = (
        f"{path.name}: class distances correlate {agreement:.3f} with those of the attributes, "
        f"at most {shuffled:.3f} with {_SHUFFLES} times shuffled rows"
    )
    if agreement > shuffled:
        _LOGGER.info("%s", text)
    else:
        _LOGGER.warning("%s; are its rows in the order of the classes, and is it of this graph?", text)
    return text


def _distances(vectors: FloatArray) -> FloatArray:
    wide = vectors.astype(np.float64)
    return np.asarray(np.linalg.norm(wide[:, None] - wide[None], axis=2), dtype=np.float32)


def _correlation(first: FloatArray, second: FloatArray) -> float:
    """Pearson's; 0 where one of both does not vary."""
    a, b = first.astype(np.float64) - first.mean(), second.astype(np.float64) - second.mean()
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / scale if scale else 0.0


def _from_npz(path: Path, class_names: Sequence[str], class_entities: Sequence[str]) -> FloatArray:
    with np.load(path, allow_pickle=False) as content:
        if not {"entities", "entity_vectors"} <= content.keys():
            got = ", ".join(content.keys())
            raise BenchmarkError(str(path), [f"got arrays {got}; `duet kg-embed` writes entities and entity_vectors"])
        row = {str(entity): place for place, entity in enumerate(content["entities"])}
        vectors = np.asarray(content["entity_vectors"], dtype=np.float32)
    missing = [
        f"class {name!r}: no vector of entity {entity}; embed the same graph"
        for name, entity in zip(class_names, class_entities, strict=True)
        if entity not in row
    ]
    if missing:
        raise BenchmarkError(str(path), missing)
    return vectors[[row[entity] for entity in class_entities]]


def _from_mat(path: Path, classes: int) -> FloatArray:
    import scipy.io
    from scipy.io.matlab import MatReadError

    try:
        content = scipy.io.loadmat(path, variable_names=list(MAT_KEYS))
    except (MatReadError, ValueError, NotImplementedError, OSError, TypeError) as error:
        raise BenchmarkError(str(path), [f"{path.name} is not a readable MATLAB v5 file ({error})"]) from error
    key = next((name for name in MAT_KEYS if name in content), None)
    if key is None:
        raise BenchmarkError(str(path), [f"{path.name} has no {' or '.join(MAT_KEYS)}; they are looked for there"])
    vectors = np.asarray(content[key], dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != classes:
        raise BenchmarkError(str(path), [f"{key} is {vectors.shape}; expected ({classes}, K), a row for each class"])
    return vectors
