"""A knowledge graph of the classes of `tiny_xlsa17`, in the words that the tiny tokenizer knows."""

from __future__ import annotations

import json
from pathlib import Path

IDS = {"n1": "wren", "n2": "crow", "n3": "robin", "n4": "gull", "n5": "jay", "n6": "heron", "n7": "owl"}
NAMES = {"a1": "blue", "a2": "grey", "a3": "forked", "a4": "large", "a5": "small", "a6": "medium"}
HELD = {
    "n1": ("a1", "a3", "a5"),
    "n2": ("a2", "a4"),
    "n3": ("a1", "a4"),
    "n4": ("a2", "a3", "a4"),
    "n5": ("a2", "a3", "a5"),
    "n6": ("a1", "a2", "a4"),
    "n7": ("a1", "a3", "a6"),
}
RELATIONS = {"a1": "wingColor", "a2": "wingColor", "a3": "tailShape", "a4": "size", "a5": "size", "a6": "size"}
KEYS = ("wing color: blue", "wing color: grey", "tail shape: forked", "size: large", "size: small", "size: medium")


def triples() -> list[tuple[str, str, str]]:
    """Class, relation, attribute."""
    return [(f"B:{c}", f"B:{RELATIONS[a]}", f"B:{a}") for c, held in HELD.items() for a in held]


def write(folder: Path, lines: list[tuple[str, str, str]] | None = None, *, classes: bool = True) -> Path:
    """Write the folder of a graph with these triples (those above when not given) and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = triples() if lines is None else lines
    (folder / "class_attribute_triples.txt").write_text("".join("\t".join(line) + "\n" for line in lines))
    (folder / "attribute.txt").write_text("".join(f"{key}\t{name}\n" for key, name in NAMES.items()))
    if classes:
        content = {"seen": {k: IDS[k] for k in ("n1", "n2", "n3", "n5", "n6")}, "unseen": {"n4": "gull", "n7": "owl"}}
        (folder / "class.json").write_text(json.dumps(content))
    return folder
