"""What classes look like, as a person wrote it: attributes in prompt sets, and the degree of each in each class."""

from __future__ import annotations

import math
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from duet_core.attributes import Attribute, AttributeSchema, SchemaError
from duet_core.benchmarks.few_names import few
from duet_core.benchmarks.mistakes import Mistake, Place
from duet_core.classes import BoolArray, ClassTable, FloatArray, unit_rows

Kind = Literal["number", "mark", "blank"]
"""How a degree was written: as a number; as yes, x or a name in a list, which count as 1; as an empty cell."""


@dataclass(frozen=True)
class ClassDescriptions:
    """C classes described by A attributes.

    Attributes:
        schema: the attributes, in the order of the file.
        names: (C,) class names, in the order of the file.
        raw: (C, A) degrees as written, at least 0.
        class_places, attribute_places: where each stands; not part of a comparison.
    """

    schema: AttributeSchema
    names: tuple[str, ...]
    raw: FloatArray
    class_places: tuple[Place, ...] = field(default=(), compare=False)
    attribute_places: tuple[Place, ...] = field(default=(), compare=False)

    def table(self, rows: Sequence[int], seen: BoolArray) -> ClassTable:
        """The class table of some of the classes, in this order; `seen` is one truth value for each of them."""
        return ClassTable(names=tuple(self.names[row] for row in rows), raw=self.raw[list(rows)], seen=seen)


def plain_name(name: str) -> str:
    """The spelling under which names of classes and photos are compared: Unicode composed (NFC), as most write it.

    Some file systems give back letters with their accents apart.
    """
    return unicodedata.normalize("NFC", name)


class DescriptionBuilder:
    """Collects attributes, classes and degrees as a reader meets them, and every mistake on the way.

    What is wrong is left out, so that the rest can still be read and judged.
    """

    def __init__(self, file: str) -> None:
        """Nothing is known yet; `file` is named where a mistake has no line."""
        self.mistakes: list[Mistake] = []
        self._file = file
        self._attributes: list[tuple[Attribute, Place]] = []
        self._row_of_key: dict[str, int] = {}
        self._classes: dict[str, Place] = {}
        self._written: dict[tuple[str, int], tuple[float, Kind, Place]] = {}

    def mistake(self, place: Place, text: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(place, text))

    def attribute(self, prompt: str, name: str, place: Place) -> int | None:
        """The row of a new attribute; None when it breaks the rules or is there already."""
        try:
            schema = AttributeSchema((Attribute(prompt, name),))
        except SchemaError as error:
            self.mistake(place, str(error).removeprefix("attribute 0: "))
            return None
        key = schema.keys[0]
        if (first := self.find(key)) is not None:
            self.mistake(place, f"attribute {key!r} is there already, at {self._attributes[first][1]}; remove one")
            return None
        self._row_of_key[_folded(key)] = len(self._attributes)
        self._attributes.append((schema.attributes[0], place))
        return len(self._attributes) - 1

    def find(self, key: str) -> int | None:
        """The row of ``"prompt: name"``; case and spacing do not matter."""
        return self._row_of_key.get(_folded(key))

    @property
    def schema(self) -> AttributeSchema:
        """The attributes so far."""
        return AttributeSchema(tuple(attribute for attribute, _ in self._attributes))

    def begin_class(self, name: str, place: Place) -> str | None:
        """The plain name of a new class; None when it cannot be a folder's name or is there already."""
        plain = plain_name(name)
        if plain != plain.strip() or not plain.isprintable() or not plain or plain[0] == "." or set(plain) & {*"/\\"}:
            text = f"class {name!r}: a class is named as its folder: no / or \\, no dot or space in front, as 'red fox'"
            self.mistake(place, text)
            return None
        if plain in self._classes:
            self.mistake(place, f"class {plain!r} is there already, at {self._classes[plain]}; remove one of the two")
            return None
        self._classes[plain] = place
        return plain

    def degree(self, name: str, row: int, value: float, kind: Kind, place: Place) -> None:
        """The degree of an attribute in a class, once."""
        if not math.isfinite(value) or value < 0:
            self.mistake(place, f"degree: got {value:g}; allowed is 0 or more, on any scale, such as 0.8 or 80")
        elif (name, row) in self._written:
            before = self._written[name, row][2]
            self.mistake(place, f"{self._attributes[row][0].key!r} of class {name!r} is there already, at {before}")
        else:
            self._written[name, row] = (value, kind, place)

    def finish(self) -> ClassDescriptions | None:
        """What was read; None when there is no attribute or no class. The mistakes of the whole are noted now."""
        for what, there in (("attribute", self._attributes), ("class", self._classes)):
            if not there and not self.mistakes:
                self.mistake(Place(self._file), f"no {what}; `duet benchmark init` shows in an example what is needed")
        if not self._attributes or not self._classes:
            return None
        raw = np.zeros((len(self._classes), len(self._attributes)), dtype=np.float32)
        row_of = {name: row for row, name in enumerate(self._classes)}
        for (name, column), (value, _, _) in self._written.items():
            raw[row_of[name], column] = value
        described = ClassDescriptions(
            schema=self.schema,
            names=tuple(self._classes),
            raw=raw,
            class_places=tuple(self._classes.values()),
            attribute_places=tuple(place for _, place in self._attributes),
        )
        self.mistakes += [*self._scales(), *_empty(described), *_twins(described)]
        return described

    def _scales(self) -> Iterator[Mistake]:
        """Marks beside numbers above 1; empty cells in a table of numbers."""
        numbers = [(value, place) for value, kind, place in self._written.values() if kind == "number"]
        marks = [place for _, kind, place in self._written.values() if kind == "mark"]
        above = next(((value, place) for value, place in numbers if value > 1), None)
        if above is not None and marks:
            text = f"counts as 1, as do {len(marks) - 1} more, but {above[1]} has the degree {above[0]:g}"
            yield Mistake(marks[0], f"yes, x or a name without a degree {text}; write numbers on one scale everywhere")
        if any(value not in (0, 1) for value, _ in numbers):
            blanks: dict[str, list[tuple[int, Place]]] = defaultdict(list)
            for (name, row), (_, kind, place) in self._written.items():
                if kind == "blank":
                    blanks[name].append((row, place))
            for name, cells in blanks.items():
                keys = few([self._attributes[row][0].key for row, _ in cells])
                yield Mistake(
                    cells[0][1], f"class {name!r}: no degree for {keys}; in a table of numbers write 0 for none"
                )


def _empty(described: ClassDescriptions) -> Iterator[Mistake]:
    """Classes without an attribute and attributes without a class."""
    for row in np.flatnonzero(~described.raw.any(axis=1)):
        text = f"class {described.names[row]!r} has no attribute; give it at least one, as `{described.schema.keys[0]}`"
        yield Mistake(described.class_places[row], text)
    for column in np.flatnonzero(~described.raw.any(axis=0)):
        text = f"no class has {described.schema.keys[column]!r}; give it to a class or take it out"
        yield Mistake(described.attribute_places[column], text)


def _twins(described: ClassDescriptions) -> Iterator[Mistake]:
    """Classes whose class vectors are the same, which no photo can tell apart."""
    first: dict[bytes, int] = {}
    filled = np.flatnonzero(described.raw.any(axis=1))
    for row, z in zip(filled, unit_rows(described.raw[filled]), strict=True):
        before = first.setdefault((np.round(z, 6) + 0.0).tobytes(), int(row))
        if before != row:
            other = f"{described.names[before]!r} at {described.class_places[before]}"
            text = f"class {described.names[row]!r} has the attributes of {other}; add one that tells them apart"
            yield Mistake(described.class_places[row], text)


def _folded(key: str) -> str:
    prompt, _, name = key.partition(":")
    return f"{' '.join(prompt.lower().split())}:{' '.join(name.lower().split())}"
