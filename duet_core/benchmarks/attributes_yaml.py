"""Class attributes as YAML: prompt sets with their attributes, then each class with what it has."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from duet_core.benchmarks.descriptions import ClassDescriptions, DescriptionBuilder
from duet_core.benchmarks.mistakes import Mistake
from duet_core.benchmarks.yaml_nodes import YamlFile, kind

_PROMPTS = "prompts: {color: [red, blue], shape: [round, square]}"
_CLASSES = "red ball: {color: red, shape: round}"
_SECTIONS = ("prompts", "classes")


def read_yaml(file: Path) -> tuple[ClassDescriptions | None, list[Mistake]]:
    """What a file says, and every mistake in it.

    ``prompts`` maps each prompt set to its attributes, ``classes`` each class to what it has: for each prompt one name,
    a list of names, or names with degrees (0 or more, any scale). A name without a degree counts as 1.
    """
    source = YamlFile(file)
    if source.mistakes:
        return None, source.mistakes
    builder = DescriptionBuilder(file.name)
    builder.mistakes = source.mistakes  # one list, in the order of the file
    sections = _sections(source)
    for prompt, names in source.entries(sections.get("prompts"), "prompts", _PROMPTS):
        for name in source.words(names, f"attributes of {prompt.value!r}", "[red, blue]"):
            builder.attribute(prompt.value, name.value, source.place(name))
    prompts = _Prompts(source, builder)
    for key, own in source.entries(sections.get("classes"), "classes", f"classes: {{{_CLASSES}}}"):
        if (plain := builder.begin_class(key.value, source.place(key))) is not None:
            for prompt, has in source.entries(own, f"class {plain!r}", _CLASSES):
                prompts.read(plain, prompt, has)
    return builder.finish(), builder.mistakes


def _sections(source: YamlFile) -> dict[str, Node]:
    sections = {}
    for key, value in source.entries(source.root, "the file", f"{_PROMPTS} and classes: {{{_CLASSES}}}"):
        if key.value in _SECTIONS:
            sections[key.value] = value
        else:
            source.mistake(key, f"no such section {key.value!r}; there are {' and '.join(_SECTIONS)}")
    for section in _SECTIONS:
        if section not in sections and not source.mistakes:
            source.mistake(None, f"no section {section!r}; there are {' and '.join(_SECTIONS)}")
    return sections


class _Prompts:
    """Reads what a class has of one prompt set after the other."""

    def __init__(self, source: YamlFile, builder: DescriptionBuilder) -> None:
        self._source, self._builder = source, builder
        self._names: dict[str, list[str]] = {}
        for attribute in builder.schema.attributes:
            self._names.setdefault(attribute.prompt, []).append(attribute.name)

    def read(self, name: str, prompt: ScalarNode, has: Node) -> None:
        """Note the degrees of one prompt set of class `name`, or the mistakes."""
        if not any(prompt.value.lower() == known.lower() for known in self._names):
            near = get_close_matches(prompt.value, self._names, n=3) or list(self._names)[:10]
            self._source.mistake(prompt, f"no prompt set {prompt.value!r} under prompts; there are {', '.join(near)}")
            return
        if isinstance(has, MappingNode):
            for key, value in self._source.entries(has, f"{prompt.value} of {name!r}", "{red: 0.8, blue: 0.2}"):
                self._with_degree(name, prompt, key, value)
            return
        for word in self._source.words(has, f"{prompt.value} of {name!r}", "red, or [red, blue], or {red: 0.8}"):
            for part in word.value.split(","):
                if (row := self._row(prompt, part.strip(), word)) is not None:
                    self._builder.degree(name, row, 1.0, "mark", self._source.place(word))

    def _with_degree(self, name: str, prompt: ScalarNode, key: ScalarNode, value: Node) -> None:
        row = self._row(prompt, key.value, key)
        try:
            degree = float(value.value) if isinstance(value, ScalarNode) else None
        except ValueError:
            degree = None
        if degree is None:
            self._source.mistake(value, f"degree of {key.value!r}: got {kind(value)}; allowed is a number, such as 0.8")
        elif row is not None:
            self._builder.degree(name, row, degree, "number", self._source.place(value))

    def _row(self, prompt: ScalarNode, name: str, node: Node) -> int | None:
        if (row := self._builder.find(f"{prompt.value}:{name}")) is None:
            own = next(names for known, names in self._names.items() if known.lower() == prompt.value.lower())
            near = get_close_matches(name, own, n=3) or own[:10]
            self._source.mistake(node, f"{prompt.value!r} has no {name!r}; there are {', '.join(near)}")
        return row


def yaml_text(described: ClassDescriptions) -> str:
    """The file that `read_yaml` reads back to the same classes; degrees of 0 are left out."""
    schema = described.schema
    sets = {
        prompt: [schema.attributes[row].name for row in rows]
        for prompt, rows in zip(schema.prompts, schema.prompt_sets, strict=True)
    }
    classes: dict[str, dict[str, dict[str, float]]] = {}
    for name, degrees in zip(described.names, described.raw, strict=True):
        own: dict[str, dict[str, float]] = classes.setdefault(name, {})
        for row in np.flatnonzero(degrees):
            attribute = schema.attributes[row]
            own.setdefault(attribute.prompt, {})[attribute.name] = float(str(degrees[row]))
    return dump({"prompts": sets, "classes": classes})


def dump(plain: Any) -> str:
    """Plain data as YAML in the order given, the innermost lists and mappings on one line."""
    text: str = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, default_flow_style=None, width=10**6)
    return text
