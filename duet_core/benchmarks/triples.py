"""The triples of a knowledge graph and the names of its entities, read from tab-separated files."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duet_core.benchmarks.benchmark import BenchmarkError

_LOGGER = logging.getLogger(__name__)

Triple = tuple[str, str, str]
"""Subject, relation, object, as the file spells them: ``("AwA:n02391049", "AwA:hasDecoration", "AwA:a011")``."""

LABEL = "rdfs:label"
NOT_PATHS = frozenset({LABEL, "owl:sameAs", "owl:disjointWith"})
"""Relations that are no step of a path: a name, another name for the same thing, and the denial of a relation."""

MENDED = {"canMoveeBy": "canMoveBy"}
"""Typing errors of published graphs, and what was meant."""


@dataclass(frozen=True)
class TripleGraph:
    """A knowledge graph.

    Attributes:
        triples: every triple once, sorted; no relation of `NOT_PATHS` among them.
        names: entity -> its name in words, where the files tell one.
        classes: entity -> name of the classes that class.json lists; empty without such a file.
    """

    triples: tuple[Triple, ...]
    names: Mapping[str, str]
    classes: Mapping[str, str]

    @property
    def entities(self) -> tuple[str, ...]:
        """Every subject and object, sorted."""
        return tuple(sorted({entity for subject, _, thing in self.triples for entity in (subject, thing)}))

    @property
    def relations(self) -> tuple[str, ...]:
        """Every relation, sorted."""
        return tuple(sorted({relation for _, relation, _ in self.triples}))

    def name(self, entity: str) -> str:
        """The entity in words: its name where there is one, else its id without the prefix."""
        return self.names.get(entity, words(local(entity)))


def read_graph(path: Path) -> TripleGraph:
    """Read a folder with ``*_triples.txt`` files, or one file of triples.

    A line has subject, relation and object, separated by tabs; a header ``Subject Relation Object`` is skipped. Names
    come from what lies in the folder: ``class.json`` (``{"seen": {id: name}, "unseen": {…}}`` or ``{id: name}``),
    ``attribute.txt`` (``<id> <name>`` a line), and the first synonym of the ``rdfs:label`` triples in the files of
    triples and in ``*.csv``, in this order. Ids are given there without the prefix of the triples (``AwA:``).

    Raises:
        BenchmarkError: no triples, lines that are no triples, or a broken class.json; all of them at once.
    """
    folder = path if path.is_dir() else path.parent
    files = sorted(path.glob("*_triples.txt")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        what = "holds no *_triples.txt" if path.is_dir() else "is missing"
        raise BenchmarkError(str(path), [f"{path.name} {what}; give a file of triples, or a folder with such files"])
    problems: list[str] = []
    lines = [triple for file in files for triple in _read_triples(file, problems)]
    for relation in sorted({relation for _, relation, _ in lines if local(relation) in MENDED}):
        _LOGGER.info("relation %s is read as %s: a typing error, mended", relation, _mended(relation))
    triples = tuple(
        sorted({(head, _mended(relation), tail) for head, relation, tail in lines if relation not in NOT_PATHS})
    )
    if not triples and not problems:
        problems.append(f"no triples in {', '.join(file.name for file in files)}; a line is subject, relation, object")
    known: dict[str, str] = {}
    others = [file for file in sorted(folder.glob("*.csv")) if file not in files] if path.is_dir() else []
    for subject, relation, label in [*lines, *(triple for file in others for triple in _read_triples(file, [], LABEL))]:
        if relation == LABEL:
            known.setdefault(subject, words(label.split(",")[0]))
    entities = {entity for subject, _, thing in triples for entity in (subject, thing)}
    classes = _by_entity(entities, _class_names(folder / "class.json", problems))
    named = known | _by_entity(entities, _attribute_names(folder / "attribute.txt", problems)) | classes
    if problems:
        raise BenchmarkError(str(path), problems)
    return TripleGraph(triples, named, classes)


def local(identifier: str) -> str:
    """``"AwA:hasColor"`` -> ``"hasColor"``."""
    return identifier.rpartition(":")[2]


def words(text: str) -> str:
    """Words separated by single spaces, without the marks that have a meaning in sentences and files: ``"tough_skin"``
    -> ``"tough skin"``, ``"killer+whale"`` -> ``"killer whale"``."""
    return " ".join(re.sub(r"[_+:|,]", " ", text).split())


def relation_words(relation: str) -> str:
    """The relation as a prompt: ``"AwA:hasBodyPart"`` -> ``"has body part"``."""
    return words(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", local(relation))).lower()


def _mended(relation: str) -> str:
    short = local(relation)
    return relation.removesuffix(short) + MENDED.get(short, short)


def _read_triples(file: Path, problems: list[str], only: str | None = None) -> Iterator[Triple]:
    """The triples of a file; lines that are none become problems."""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        parts = [part.strip() for part in line.split("\t")]
        if not line.strip() or (number == 1 and [part.lower() for part in parts] == ["subject", "relation", "object"]):
            continue
        if len(parts) != 3 or not all(parts):
            problems.append(
                f"{file.name} line {number}: got {line[:60]!r}; a triple is subject, relation and object, "
                "separated by tabs"
            )
        elif only is None or parts[1] == only:
            yield parts[0], parts[1], parts[2]


def _class_names(file: Path, problems: list[str]) -> dict[str, str]:
    if not file.is_file():
        return {}
    example = '{"seen": {"n02391049": "zebra"}, "unseen": {}}'
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        problems.append(f"{file.name}: not JSON ({error}); a class.json is such as {example}")
        return {}
    parts = list(content.values()) if isinstance(content, dict) else [content]
    if isinstance(content, dict) and all(isinstance(name, str) for name in parts):
        parts = [content]
    found: dict[str, str] = {}
    for part in parts:
        if not isinstance(part, dict) or not all(isinstance(name, str) for name in part.values()):
            problems.append(f"{file.name}: got {str(part)[:60]!r}; ids and names are expected, such as {example}")
        else:
            found |= {key: words(name) for key, name in part.items()}
    return found


def _attribute_names(file: Path, problems: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    for number, line in enumerate(lines, start=1):
        parts = line.split(maxsplit=1)
        if len(parts) == 2:
            found[parts[0]] = words(parts[1])
        elif parts:
            problems.append(
                f"{file.name} line {number}: got {line[:60]!r}; a line is '<id> <name>', such as 'a001 red'"
            )
    return found


def _by_entity(entities: set[str], names: dict[str, str]) -> dict[str, str]:
    """The names under the ids of the triples, which may have a prefix."""
    found = {entity: names.get(entity, names.get(local(entity))) for entity in entities}
    return {entity: name for entity, name in found.items() if name}
