"""The split of a folder of photos: which classes are unseen, which photos are learned from; kept in splits.yaml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from yaml.nodes import MappingNode, Node, ScalarNode

from duet_core.benchmarks.attributes_yaml import dump
from duet_core.benchmarks.descriptions import plain_name
from duet_core.benchmarks.mistakes import Mistake, Place
from duet_core.benchmarks.yaml_nodes import YamlFile

SPLIT_FILE = "splits.yaml"
_KEYS = ("seed", "unseen", "validation", "train", "test")
_HEAD = """\
# Which photos are learned from and which are judged with. Written by `duet benchmark split` or the first training;
# it is never drawn anew by itself. New photos are used after: duet benchmark split {folder} --extend
# unseen: classes judged without a photo to learn from. validation: seen classes held out while choosing.
# train, test: the photos of each class; of an unseen class all are for the test.
"""

Photos = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class FolderSplit:
    """One split, by plain names.

    Attributes:
        seed: what was drawn with.
        unseen: classes without photos in `train`.
        validation: seen classes held out while everything is chosen.
        train: class -> photos to learn from.
        test: class -> photos to judge with, once.
        places: where (key, class) stands in the file; not part of a comparison.
    """

    seed: int
    unseen: tuple[str, ...]
    validation: tuple[str, ...]
    train: Photos
    test: Photos
    places: Mapping[tuple[str, str], Place] = field(default_factory=dict, compare=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """All classes of the split."""
        return tuple(dict.fromkeys([*self.train, *self.test, *self.unseen]))

    def place(self, key: str, name: str) -> Place:
        """Where a class stands under a key; the file as a whole where that is not known."""
        return self.places.get((key, name), Place(SPLIT_FILE))


def write_split(root: Path, split: FolderSplit) -> Path:
    """Write splits.yaml beside the photos, whole or not at all."""
    file = root / SPLIT_FILE
    plain = {
        "seed": split.seed,
        "unseen": list(split.unseen),
        "validation": list(split.validation),
        "train": {name: list(photos) for name, photos in split.train.items()},
        "test": {name: list(photos) for name, photos in split.test.items()},
    }
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(_HEAD.format(folder=root) + dump(plain), encoding="utf-8")
    temporary.replace(file)
    return file


def read_split(file: Path) -> tuple[FolderSplit | None, list[Mistake]]:
    """The split in a file, and what is wrong with the file itself; None when it cannot be read at all."""
    source = YamlFile(file)
    if source.mistakes:
        return None, source.mistakes
    parts: dict[str, Node] = {}
    for key, value in source.entries(source.root, "the file", "unseen: [red fox], validation: …, train: …, test: …"):
        if key.value in _KEYS:
            parts[key.value] = value
        else:
            source.mistake(key, f"no such key {key.value!r}; there are {', '.join(_KEYS)}")
    for needed in _KEYS[1:]:
        if needed not in parts:
            source.mistake(None, f"no {needed!r}; remove the file and `duet benchmark split` draws it anew")
    places: dict[tuple[str, str], Place] = {}
    named = {key: _names(source, parts.get(key), key, places) for key in ("unseen", "validation")}
    listed = {key: _photos(source, parts.get(key), key, places) for key in ("train", "test")}
    split = FolderSplit(
        seed=_seed(source, parts.get("seed")),
        unseen=named["unseen"],
        validation=named["validation"],
        train=listed["train"],
        test=listed["test"],
        places=places,
    )
    return split, source.mistakes


def _names(source: YamlFile, node: Node | None, key: str, places: dict[tuple[str, str], Place]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for entry in source.words(node, key, "[red fox, blue jay]"):
        plain = plain_name(entry.value)
        if plain in names:
            source.mistake(entry, f"{key}: class {plain!r} is there already; remove one")
        places.setdefault((key, plain), source.place(entry))
        names[plain] = None
    return tuple(names)


def _photos(source: YamlFile, node: Node | None, key: str, places: dict[tuple[str, str], Place]) -> Photos:
    found: dict[str, tuple[str, ...]] = {}
    for name, photos in source.entries(node, key, "red fox: [1.jpg, 2.jpg]"):
        plain = plain_name(name.value)
        places[key, plain] = source.place(name)
        files = list(source.words(photos, f"{key} of {plain!r}", "[1.jpg, 2.jpg]"))
        found[plain] = tuple(dict.fromkeys(plain_name(file.value) for file in files))
        if len(found[plain]) < len(files):
            source.mistake(name, f"{key}: photos of {plain!r} are named twice; remove the second")
    return found


def _seed(source: YamlFile, node: Node | None) -> int:
    if node is None:
        return 0
    if isinstance(node, ScalarNode) and node.value.isdecimal():
        return int(node.value)
    got = "a mapping" if isinstance(node, MappingNode) else repr(node.value)
    source.mistake(node, f"seed: got {got}; allowed is a whole number from 0, such as 0")
    return 0
