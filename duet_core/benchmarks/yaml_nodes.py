"""YAML with the places of everything in it, and every mistake told instead of the first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from duet_core.benchmarks.mistakes import Mistake, Place

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlFile:
    """One YAML file as nodes; its mistakes are collected in `mistakes`.

    Words are taken as they are written: a class called ``no`` or ``007`` is no truth value and no number.
    """

    def __init__(self, file: Path) -> None:
        """Read and parse the file; `root` is None when that fails or it is empty, and the mistake is noted."""
        self.name = file.name
        self.mistakes: list[Mistake] = []
        self.root: Node | None = None
        try:
            self.root = yaml.compose(file.read_bytes().decode("utf-8-sig"), Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(self.name) if mark is None else Place(self.name, mark.line + 1, mark.column + 1)
            self.mistakes.append(Mistake(place, f"not YAML: {error.problem or error.context}"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            self.mistakes.append(Mistake(Place(self.name), f"not YAML in UTF-8: {' '.join(str(error).split())}"))

    def place(self, node: Node) -> Place:
        """Where a node begins."""
        return Place(self.name, node.start_mark.line + 1, node.start_mark.column + 1)

    def mistake(self, node: Node | None, text: str) -> None:
        """Note a mistake at a node, or in the file as a whole."""
        self.mistakes.append(Mistake(Place(self.name) if node is None else self.place(node), text))

    def entries(self, node: Node | None, what: str, example: str) -> Iterator[tuple[ScalarNode, Node]]:
        """Key and value of each entry of a mapping; what is no mapping, no word or there twice is noted."""
        if not isinstance(node, MappingNode):
            if not is_nothing(node):
                self.mistake(node, f"{what}: got {kind(node)}; allowed is a mapping, such as {example}")
            return
        first: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.mistake(key, f"{what}: got {kind(key)} as a name; allowed is a mapping, such as {example}")
            elif key.value in first:
                self.mistake(key, f"{key.value!r} is there already, at {self.place(first[key.value])}; remove one")
            else:
                first[key.value] = key
                yield key, value

    def words(self, node: Node | None, what: str, example: str) -> Iterator[ScalarNode]:
        """The words of a list, or the only one; anything else in it is noted. Nothing is an empty list."""
        if is_nothing(node):
            return
        if isinstance(node, ScalarNode):
            yield node
        elif isinstance(node, SequenceNode):
            for entry in node.value:
                if isinstance(entry, ScalarNode) and not is_nothing(entry):
                    yield entry
                else:
                    self.mistake(entry, f"{what}: got {kind(entry)}; allowed is a list of names, such as {example}")
        else:
            self.mistake(node, f"{what}: got {kind(node)}; allowed is a list of names, such as {example}")


def is_nothing(node: Node | None) -> bool:
    """Whether a value was left out, as in ``color:`` (a quoted empty text is something)."""
    return node is None or (isinstance(node, ScalarNode) and not node.value and node.style is None)


def kind(node: Node | None) -> str:
    """What a node is, in words."""
    if is_nothing(node):
        return "nothing"
    if isinstance(node, ScalarNode):
        return repr(node.value)
    return "a list" if isinstance(node, SequenceNode) else "a mapping"
