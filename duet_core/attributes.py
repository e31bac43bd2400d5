"""Attributes, prompt sets and the attribute sentences made of them (Eqs. 1, 12, 26)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

RESERVED = (":", "|", ",")
"""The separators of the attribute sentence; no prompt or name may contain them."""


class SchemaError(ValueError):
    """A schema or a sentence that breaks the rules of the attribute sentence."""


@dataclass(frozen=True)
class Attribute:
    """One attribute. Its identity is the pair (prompt, name): "blue" alone occurs in 16 of CUB's prompts."""

    prompt: str
    name: str

    @property
    def key(self) -> str:
        """The spelling used in the API, in files and in sentences: ``"wing color: blue"``."""
        return f"{self.prompt}: {self.name}"

    @property
    def phrase(self) -> str:
        """The words alone, as the language model embeds them: ``"wing color blue"``."""
        return f"{self.prompt} {self.name}"


@dataclass(frozen=True)
class ParsedSentence:
    """What a semi-structured sentence said: schema rows found, and the keys the schema does not have."""

    attributes: tuple[int, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class AttributeSchema:
    """All attributes of a benchmark in the order of its class vectors, grouped into prompt sets P1…Pk."""

    attributes: tuple[Attribute, ...]

    def __post_init__(self) -> None:
        seen: dict[str, int] = {}
        for row, attribute in enumerate(self.attributes):
            for text in (attribute.prompt, attribute.name):
                if not text or text != " ".join(text.split()) or any(mark in text for mark in RESERVED):
                    raise SchemaError(
                        f"attribute {row}: got {text!r}; a prompt or name is non-empty, has single spaces and "
                        f"none of {' '.join(RESERVED)}, for example 'wing color'"
                    )
            if attribute.key in seen:
                raise SchemaError(
                    f"attributes {seen[attribute.key]} and {row} are both {attribute.key!r}; (prompt, name) is unique"
                )
            seen[attribute.key] = row

    def __len__(self) -> int:
        return len(self.attributes)

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]]) -> AttributeSchema:
        """Build from (prompt, name) pairs in class-vector order."""
        return cls(tuple(Attribute(prompt, name) for prompt, name in pairs))

    @cached_property
    def prompts(self) -> tuple[str, ...]:
        """Prompt names, k of them, in order of first appearance."""
        return tuple(dict.fromkeys(attribute.prompt for attribute in self.attributes))

    @cached_property
    def prompt_index(self) -> tuple[int, ...]:
        """(A,) the row in `prompts` of each attribute."""
        row = {prompt: i for i, prompt in enumerate(self.prompts)}
        return tuple(row[attribute.prompt] for attribute in self.attributes)

    @cached_property
    def prompt_sets(self) -> tuple[tuple[int, ...], ...]:
        """For each prompt the rows of its attributes: P1…Pk, a partition of 0…A-1."""
        sets: list[list[int]] = [[] for _ in self.prompts]
        for row, prompt in enumerate(self.prompt_index):
            sets[prompt].append(row)
        return tuple(tuple(rows) for rows in sets)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """(A,) the keys ``"prompt: name"`` in class-vector order."""
        return tuple(attribute.key for attribute in self.attributes)

    @cached_property
    def _row_of_key(self) -> dict[str, int]:
        return {_folded(key): row for row, key in enumerate(self.keys)}

    def find(self, key: str) -> int | None:
        """Row of ``"prompt: name"`` (case and spacing do not matter), or None."""
        return self._row_of_key.get(_folded(key))

    def nearest(self, key: str, count: int = 3) -> tuple[str, ...]:
        """The valid keys spelled most like `key`, best first; for error messages."""
        close = difflib.get_close_matches(_folded(key), self._row_of_key, n=count, cutoff=0.0)
        return tuple(self.keys[self._row_of_key[match]] for match in close)

    def sentence(self, rows: Iterable[int]) -> str:
        """The attribute sentence of a class with these attributes (Eq. 1).

        ``"wing color: blue, brown | size: small"``: prompt sets in schema order, sets without an attribute left out.
        """
        wanted = set(rows)
        if not wanted <= set(range(len(self))):
            bad = sorted(wanted - set(range(len(self))))[:3]
            raise SchemaError(f"attribute rows {bad} are outside 0…{len(self) - 1}")
        parts = []
        for prompt, members in zip(self.prompts, self.prompt_sets, strict=True):
            names = [self.attributes[row].name for row in members if row in wanted]
            if names:
                parts.append(f"{prompt}: {', '.join(names)}")
        return " | ".join(parts)

    def template(self) -> str:
        """The classification template (Eq. 12): every prompt name with nothing after it."""
        return " | ".join(f"{prompt}:" for prompt in self.prompts)

    def mask_template(self, mask: str = "[MASK]") -> str:
        """The interpretation template (Eq. 26): every prompt name followed by one mask."""
        return " | ".join(f"{prompt}: {mask}" for prompt in self.prompts)

    def parse(self, sentence: str) -> ParsedSentence:
        """Read an attribute sentence back; the inverse of `sentence` on every set of rows.

        Raises SchemaError when a part between bars has no colon: such text is not semi-structured.
        """
        found: dict[int, None] = {}
        unknown: list[str] = []
        for part in filter(None, (piece.strip() for piece in sentence.split("|"))):
            prompt, colon, names = part.partition(":")
            if not colon:
                raise SchemaError(f"got {part!r}; allowed is 'prompt: name, name', such as 'wing color: blue, brown'")
            for name in filter(None, (word.strip() for word in names.split(","))):
                row = self.find(f"{prompt}: {name}")
                if row is None:
                    unknown.append(f"{prompt.strip()}: {name}")
                else:
                    found[row] = None
        return ParsedSentence(tuple(found), tuple(unknown))

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data for a bundle's manifest: ``[{"prompt": …, "name": …}, …]`` in class-vector order."""
        return [{"prompt": attribute.prompt, "name": attribute.name} for attribute in self.attributes]

    @classmethod
    def from_json(cls, data: Sequence[dict[str, Any]]) -> AttributeSchema:
        """The inverse of `to_json`."""
        return cls.from_pairs((str(item["prompt"]), str(item["name"])) for item in data)


def _folded(key: str) -> str:
    """Spelling under which two keys count as the same: case, spaces and the space after the colon fold."""
    prompt, colon, name = key.partition(":")
    return " ".join(prompt.lower().split()) + colon + " ".join(name.lower().split())
