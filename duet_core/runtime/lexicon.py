"""What English words mean for a schema: its own words, and a table of synonyms for those it has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

from duet_core.attributes import AttributeSchema
from duet_core.runtime.comparisons import Comparisons

Kind = Literal["word", "negation", "hedge", "opener", "copula", "joiner", "stop", "ignored", "unknown", "foreign"]

_TOKEN = re.compile(r"[a-z0-9]+|[.;|!?]|[,:&/]")
_STOPS = frozenset(".;|!?")
_LONGEST = 4
_BREAK = "(a new phrase)"
"""Stands in `words` for a comma with an article after it: "…, a black bill" speaks of something else than before."""


@dataclass(frozen=True)
class Meaning:
    """What a word or phrase can stand for.

    Attributes:
        kind: its role in a sentence; "word" when the fields below say more.
        values: schema rows it names, with the degree it gives them, as "gray" does for "wing color: grey".
        part: prompt sets (their index) of the body part it names, with weights; None when it names no part.
        whole: True for words such as "bird" that speak of all parts.
        marking: True for nouns such as "stripe": the colours before them cover only a little of the part.
        shade: True for "dark" and its like, which before a colour add nothing to it.
        telling: True for words such as "webbed", whose values are meant whatever part they are said of.
        hedge: factor for the degrees of the words after it, as 0.5 for "slightly".
    """

    kind: Kind
    values: Mapping[int, float] = field(default_factory=dict)
    part: Mapping[int, float] | None = None
    whole: bool = False
    marking: bool = False
    shade: bool = False
    telling: bool = False
    hedge: float = 1.0


@dataclass(frozen=True)
class Match:
    """Words of the prompt, folded, and what they mean together."""

    text: str
    meaning: Meaning


def fold(word: str) -> str:
    """Singular of a lower-case English word, by rule: "bellies" to "belly", "patches" to "patch"."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def words_of(text: str) -> tuple[str, ...]:
    """Folded words and punctuation of a text; hyphens separate words, apostrophes vanish."""
    plain = re.sub(r"['’]s?\b", "", text.lower()).replace("-", " ").replace("–", " ")
    return tuple(fold(token) for token in _TOKEN.findall(plain))


class Lexicon:
    """Meanings of words for one schema. Longer phrases win: "upper tail" is not a tail that is upper."""

    def __init__(self, schema: AttributeSchema) -> None:
        raw = resources.files("duet_core.runtime").joinpath("words", "english.json").read_text(encoding="utf-8")
        table: dict[str, Any] = json.loads(raw)
        self._schema = schema
        self._aspects = {fold(word) for word in table["aspects"]}
        self._whole = {fold(word) for word in table["whole"]}
        self._parts = tuple(self._part_words(prompt) for prompt in schema.prompts)
        self.whole_prompts = frozenset(i for i, part in enumerate(self._parts) if not part)
        apart = {fold(word) for word in table["apart"]}
        self.spread_prompts = frozenset(i for i, part in enumerate(self._parts) if part and not apart & set(part))
        self._fillers = {fold(word) for word in table["fillers"]}
        self._determiners = {fold(word) for word in table["determiners"]}
        self._negations = {fold(word) for word in table["negations"]}
        self._comparisons = Comparisons(table["sizes"])
        self._compounds = {fold(word): words_of(parts) for word, parts in table["compounds"].items()}
        self._names = self._name_rows()
        self._meanings: dict[tuple[str, ...], Meaning] = {(_BREAK,): Meaning("opener")}
        self._add_roles(table)
        self._add_words(table)

    def read(self, text: str) -> list[Match]:
        """The text as a list of meanings, left to right; words without one are of kind "unknown"."""
        plain = words_of(self._comparisons.replaced(text))
        words = self._phrased([part for word in plain for part in self._compounds.get(word, (word,))])
        matches, start = [], 0
        while start < len(words):
            for stop in range(min(start + _LONGEST, len(words)), start, -1):
                meaning = self._meanings.get(tuple(words[start:stop]))
                if meaning is not None:
                    break
            else:
                stop = start + 1
                meaning = Meaning("stop" if words[start] in _STOPS else "unknown")
            matches.append(Match(" ".join(words[start:stop]), meaning))
            start = stop
        return matches

    def _phrased(self, words: Sequence[str]) -> list[str]:
        """The words without those that say nothing; where a comma and an article begin a new phrase, a mark.

        After a denial "and" with an article does so too: "no wing bars and a red crown" has a red crown.
        """
        kept: list[str] = []
        denied = False
        for before, word in zip(("", *words), words, strict=False):
            denied = (denied or word in self._negations) and word not in _STOPS
            parted = before == "," or (before == "and" and (denied or kept[-2:-1] == [","]))
            if word in self._determiners and kept and parted:
                kept[-1] = _BREAK
                denied = False
            elif word not in self._fillers:
                kept.append(word)
        return kept

    def _part_words(self, prompt: str) -> tuple[str, ...]:
        """The body part in a prompt's name: ("upper", "tail") of "upper tail color"; () when it is of the whole."""
        words = words_of(prompt)
        if words[-1] not in self._aspects or set(words[:-1]) <= self._whole:
            return ()
        return words[:-1]

    def _name_rows(self) -> dict[tuple[str, ...], set[int]]:
        """Rows by the words of their names, in full and without words such as "like" and "shaped"."""
        rows: dict[tuple[str, ...], set[int]] = {}
        for row, attribute in enumerate(self._schema.attributes):
            full = words_of(attribute.name)
            core = tuple(word for word in full if word not in self._aspects)
            said = tuple(word for word in core if word not in self._fillers)  # "longer than its head"
            for name in {full, core, said} - {()}:
                rows.setdefault(name, set()).add(row)
        return rows

    def _prompts_of(self, phrase: Sequence[str]) -> list[int]:
        """Prompt sets whose body part contains the words of `phrase` one after the other."""
        size = len(phrase)
        return [
            prompt
            for prompt, part in enumerate(self._parts)
            if any(part[i : i + size] == tuple(phrase) for i in range(len(part) - size + 1))
        ]

    def _add_roles(self, table: Mapping[str, Any]) -> None:
        roles: tuple[tuple[str, Kind], ...] = (
            ("aspects", "ignored"),
            ("prepositions", "ignored"),
            ("negations", "negation"),
            ("openers", "opener"),
            ("copulas", "copula"),
            ("joiners", "joiner"),
        )
        for name, kind in roles:
            for word in table[name]:
                self._meanings[words_of(word)] = Meaning(kind)
        for word in table["foreign"]:
            self._meanings[words_of(word)] = Meaning("foreign")
        for word, factor in table["hedges"].items():
            self._meanings[words_of(word)] = Meaning("hedge", hedge=factor)

    def _add_words(self, table: Mapping[str, Any]) -> None:
        values: dict[tuple[str, ...], dict[int, float]] = {
            name: dict.fromkeys(sorted(rows), 1.0) for name, rows in self._names.items()
        }
        parts: dict[tuple[str, ...], dict[int, float]] = {}
        for run in self._own_parts(table["side_words"]):
            for surface in (run, _with_ed(run)):
                _raise(parts, surface, dict.fromkeys(self._prompts_of(run), 1.0))
        for word, targets in table["parts"].items():
            for surface in (words_of(word), _with_ed(words_of(word))):
                _raise(parts, surface, self._part_targets(targets))
        for word, targets in (*table["values"].items(), *table["kinds"].items(), *table["telling"].items()):
            _raise(values, words_of(word), self._value_targets(targets))
        for word, carried in table["carriers"].items():
            rows = self._value_targets({carried["value"]: 1.0})
            _raise(values, words_of(word), rows)
            if rows:
                parts[words_of(word)] = self._part_targets(carried["parts"])
        markings = {words_of(word) for word in table["markings"]}
        whole = {(word,) for word in self._whole} | {words_of(word) for word in table["kinds"]}
        telling = {words_of(word) for word in (*table["telling"], *table["kinds"])}
        shades = {words_of(word) for word in table["shades"]}
        for surface in {key for key in (*values, *parts) if values.get(key) or key in parts} | markings | whole:
            self._meanings[surface] = Meaning(
                "word",
                values=values.get(surface, {}),
                part=parts.get(surface),
                whole=surface in whole,
                marking=surface in markings,
                shade=surface in shades,
                telling=surface in telling,
            )

    def _own_parts(self, side_words: Iterable[str]) -> set[tuple[str, ...]]:
        """Every run of words of the schema's own parts; "upper" alone names no part."""
        runs = {part[i:j] for part in self._parts for i in range(len(part)) for j in range(i + 1, len(part) + 1)}
        return runs - {(fold(word),) for word in side_words}

    def _part_targets(self, targets: Mapping[str, float]) -> dict[int, float]:
        weights: dict[int, float] = {}
        for phrase, weight in targets.items():
            for prompt in self._prompts_of(words_of(phrase)):
                weights[prompt] = max(weight, weights.get(prompt, 0.0))
        return weights

    def _value_targets(self, targets: Mapping[str, float]) -> dict[int, float]:
        weights: dict[int, float] = {}
        for name, weight in targets.items():
            for row in sorted(self._names.get(words_of(name), ())):
                weights[row] = max(weight, weights.get(row, 0.0))
        return weights


def _with_ed(words: tuple[str, ...]) -> tuple[str, ...]:
    """The form for compounds: "winged" of "red-winged"."""
    return (*words[:-1], words[-1] + ("d" if words[-1].endswith("e") else "ed"))


def _raise(table: dict[tuple[str, ...], dict[int, float]], key: tuple[str, ...], weights: Mapping[int, float]) -> None:
    """Merge weights into an entry, the larger one winning; nothing is entered for no weights."""
    if weights:
        entry = table.setdefault(key, {})
        for item, weight in weights.items():
            entry[item] = max(weight, entry.get(item, 0.0))
