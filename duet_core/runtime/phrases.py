"""Noun phrases of a description: which value words speak of which part ("a black head and back, white below")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from duet_core.runtime.lexicon import Match, Meaning

MARKING = 0.45
"""Degree of a marking's colour ("white" of white wing bars), against 1 for the part's own colour."""

WHOLE: Mapping[int, float] = {-1: 1.0}
"""Stands for all parts at once, where a part's prompt sets would stand."""


@dataclass(frozen=True)
class Mention:
    """One value said of one part.

    Attributes:
        text: the words of the prompt, value and part, folded.
        word: the value word alone.
        values: schema rows the value word can mean, with degrees; empty for words the lexicon does not know.
        part: prompt sets spoken of, with weights; `WHOLE` when it is all of the animal or thing.
        weight: factor for the degree, from hedges and markings.
        negated: True for "no wing bars".
        trailing: True when no part followed the value, so that the part is only the last one named.
        telling: True when the value is meant whatever the part, as "webbed" of feet tells of the whole bird.
        foreign: the part's word when it is a part the schema does not have, such as "ears"; values of it are lost.
    """

    text: str
    word: str
    values: Mapping[int, float]
    part: Mapping[int, float]
    weight: float
    negated: bool
    trailing: bool
    telling: bool = False
    foreign: str = ""


@dataclass(frozen=True)
class _Said:
    word: str
    meaning: Meaning
    weight: float
    negated: bool


class PhraseReader:
    """Reads one description, match by match. Values before a part belong to it; so do those after "is"."""

    def __init__(self) -> None:
        self.mentions: list[Mention] = []
        self._pending: list[_Said] = []
        self._bound: list[_Said] = []
        self._group: Mapping[int, float] | None = None
        self._group_text = ""
        self._open = False  # only "and" and commas since the part: another part may share its values
        self._predicate = False
        self._negated = False
        self._marked = False  # after "bars" and the like: a comma ends what is said of them
        self._foreign = ""
        self._hedge = 1.0

    def read(self, matches: Sequence[Match]) -> list[Mention]:
        """All mentions, in order."""
        for match in matches:
            if match.meaning.kind == "word":
                self._word(match)
            elif match.meaning.kind == "unknown":
                self._value(match)
            elif match.meaning.kind == "foreign":
                self._stranger(match)
            else:
                self._turn(match)
        self._flush()
        return self.mentions

    def _turn(self, match: Match) -> None:
        """A word that names nothing but changes what the words around it mean."""
        kind = match.meaning.kind
        if kind in ("stop", "opener"):
            self._flush()
            if kind == "stop":
                self._group, self._foreign = None, ""
        elif kind == "copula":
            self._predicate = self._group is not None and not self._pending
        elif kind == "joiner":
            if match.text == "," and self._marked:
                self._flush()
            self._negated = self._negated and bool(self._pending)  # "no crest, brown eyes" has brown eyes
        elif kind == "negation":
            self._negated, self._open = True, False
        elif kind == "hedge":
            self._hedge = match.meaning.hedge

    def _word(self, match: Match) -> None:
        meaning = match.meaning
        if meaning.whole or meaning.part is not None:
            self._part(match)
            if meaning.values:  # "crest", "songbird": a part or a kind that is itself an attribute
                self._bind(self._said(match), WHOLE, match.text, trailing=True)
            return
        if meaning.marking:
            self._fade()
            self._marked = True
        if meaning.values:
            self._value(match)

    def _said(self, match: Match) -> _Said:
        said = _Said(match.text, match.meaning, self._hedge, self._negated)
        self._hedge = 1.0
        return said

    def _value(self, match: Match) -> None:
        said = self._said(match)
        self._open = False
        if match.meaning.values and self._pending and self._pending[-1].meaning.shade:
            self._pending.pop()
        if self._predicate and self._group is not None:
            self._bind(said, self._group, self._group_text, trailing=False)
        else:
            self._pending.append(said)

    def _part(self, match: Match) -> None:
        part = WHOLE if match.meaning.part is None else match.meaning.part
        self._foreign, self._marked = "", False
        alone = self._open and not self._pending and not self._bound
        shared = self._group if alone and self._group is not WHOLE else None
        if self._pending:
            self._bound, self._pending = self._pending, []
        elif not self._open:
            self._bound = []
        for said in self._bound:
            self._bind(said, part, match.text, trailing=False)
        if part:  # an eye ring has no prompt sets of its own: what follows is still said of the part before it
            self._group = {**shared, **part} if shared else part  # "belly and breast are white"
            self._group_text = match.text
        self._open, self._predicate = True, False

    def _stranger(self, match: Match) -> None:
        """A part the schema does not have: what is said of it must not fall to the part named before."""
        said, self._pending, self._bound = self._pending, [], []
        self._group, self._group_text, self._foreign = {}, match.text, match.text
        self._open = self._predicate = self._marked = False
        for value in said:
            self._bind(value, {}, match.text, trailing=False)
        if not said:
            self.mentions.append(Mention(match.text, match.text, {}, {}, 1.0, False, False, foreign=match.text))

    def _fade(self) -> None:
        """The colours just before a marking, or before "wing" in "wing bars", are the marking's."""
        if self._pending:
            self._pending = [replace(said, weight=said.weight * MARKING) for said in self._pending]
        elif self._open and self._bound:
            count = len(self._bound)
            self.mentions[-count:] = [replace(said, weight=said.weight * MARKING) for said in self.mentions[-count:]]

    def _bind(self, said: _Said, part: Mapping[int, float], part_text: str, *, trailing: bool) -> None:
        text = said.word if trailing or not part_text else f"{said.word} {part_text}"
        meaning = said.meaning
        self.mentions.append(
            Mention(
                text,
                said.word,
                meaning.values,
                part,
                said.weight,
                said.negated,
                trailing and not self._foreign,
                telling=meaning.telling,
                foreign=self._foreign,
            )
        )

    def _flush(self) -> None:
        """End of a phrase: values no part followed belong to the last part, else to the whole."""
        for said in self._pending:
            part = {} if self._foreign else self._group or WHOLE
            self._bind(said, part, self._group_text, trailing=True)
        self._pending, self._bound = [], []
        self._open = self._predicate = self._negated = self._marked = False
        self._hedge = 1.0
