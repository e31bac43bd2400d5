"""Labels that a request brings along: each a class of the class space, or else a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from app.problems import Problem
from app.registry.snapshot import Snapshot
from app.service import Service
from duet_core.classes import FloatArray
from duet_core.runtime import ClassSet, class_vector
from duet_core.runtime.text import PromptError


def competing(labels: Sequence[str], template: str, snapshot: Snapshot, service: Service) -> ClassSet:
    """The labels as the only classes, in their order; their ids and labels are the labels.

    A label that is the id or the label of a class (case, hyphens and spacing aside) is that class, seen or registered.
    Another is put into `template` and read as a sentence, as POST /classes reads a prompt.

    Raises Problem: invalid-request for a label that names several classes, or two labels that name the same one;
    unclear-prompt for one that is neither a class nor understood.
    """
    rows = _rows(labels, snapshot)
    used: dict[int, str] = {}
    for label, row in rows.items():
        if row in used:
            detail = (
                f"{used[row]!r} and {label!r} are the same class, {snapshot.classes.class_id(row)!r}; send one of them."
            )
            raise Problem("invalid-request", detail, {"got": [used[row], label]})
        used[row] = label
    z = [
        snapshot.classes.vector(rows[label]) if label in rows else _interpreted(label, template, service)
        for label in labels
    ]
    seen = np.array([label in rows and bool(snapshot.classes.seen[rows[label]]) for label in labels])
    metric = snapshot.classes.metric
    return ClassSet(ids=tuple(labels), labels=tuple(labels), seen=seen, z=np.stack(z), metric=metric)


def _rows(labels: Sequence[str], snapshot: Snapshot) -> Mapping[str, int]:
    """Label -> row of the class it names; labels that name none are left out. An id goes before a label."""
    classes = snapshot.classes
    rows = {label: row for label in labels if (row := classes.row("-".join(_words(label)))) is not None}
    wanted: dict[tuple[str, ...], list[str]] = {}
    for label in labels:
        if label not in rows:
            wanted.setdefault(_words(label), []).append(label)
    for row, name in enumerate(classes.labels if wanted else ()):
        for label in wanted.get(_words(name), ()):
            if label in rows:
                several = [classes.class_id(rows[label]), classes.class_id(row)]
                detail = f"{label!r} is the label of several classes; send the id of the one you mean."
                raise Problem("invalid-request", detail, {"got": label, "allowed": several})
            rows[label] = row
    return rows


def _words(name: str) -> tuple[str, ...]:
    return tuple(name.casefold().replace("-", " ").replace("_", " ").split())


def _interpreted(label: str, template: str, service: Service) -> FloatArray:
    """z (A,) of a label read as a sentence."""
    sentence = template.replace("{}", label)
    try:
        read = service.interpreter.interpret(sentence)
    except PromptError as error:
        detail = f"The label {label[:80]!r} is no class of this class space, and as a sentence: {error}."
        example = ["Hooded Oriole", "a black bird with a yellow head"]
        raise Problem("unclear-prompt", detail, {"got": sentence[:120], "example": example}) from None
    if read.unknown:
        names = {unknown.key[:80]: list(unknown.nearest) for unknown in read.unknown[:10]}
        detail = f"The label {label[:80]!r} names attributes that do not exist: {', '.join(names)}."
        raise Problem("unknown-attribute", detail, {"got": label[:120], "errors": [{"nearest": names}]})
    return class_vector(read.degrees, service.bundle.classes.metric)
