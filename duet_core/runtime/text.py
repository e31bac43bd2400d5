"""From a prompt sentence to the degrees of a class, with an account of what was understood and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray
from duet_core.runtime.bundle import Bundle
from duet_core.runtime.expectation import Expectation
from duet_core.runtime.lexicon import Lexicon, words_of
from duet_core.runtime.phrases import MARKING, WHOLE, Mention, PhraseReader
from duet_core.runtime.sentence_map import lexical_evidence

How = Literal["exact", "lexical", "similar"]

SPREAD = 0.8
"""Degree, against 1 when said, that a value said of the whole ("a black bird") gives to parts nothing is said of."""

SIMILAR = 0.65
"""Least cosine of a phrase nobody told us about and an attribute's phrase for the phrase to count as that attribute."""

SURE = 0.9
"""Least degree at which what a kind of bird implies ("a duck") counts as said, not as implied until said otherwise."""

MAX_WORDS = 400
"""Longest prompt read, in words."""


class PromptError(ValueError):
    """A prompt nothing can be made of; the message says what was got and what would be understood."""


@dataclass(frozen=True)
class FoundAttribute:
    """One attribute read from a prompt.

    Attributes:
        key: its key, such as "wing color: blue".
        degree: its entry in `Interpretation.degrees`, 0…1; 0 when the prompt denies it.
        phrase: the words it was read from.
        how: "exact" (its key), "lexical" (words and synonyms) or "similar" (the language model).
        confidence: 0…1; 1 for exact, less for hedges, for markings and for parts not named, the cosine when similar.
    """

    key: str
    degree: float
    phrase: str
    how: How
    confidence: float


@dataclass(frozen=True)
class UnknownKey:
    """A key of a semi-structured prompt that the schema does not have, with the nearest valid ones."""

    key: str
    nearest: tuple[str, ...]


@dataclass(frozen=True)
class Interpretation:
    """A prompt as understood.

    Attributes:
        degrees: (A,) what the class vector is made of, 0…1: attributes found, and for prompt sets not spoken of what
            the seen classes lead one to expect.
        attributes: those found, in schema order.
        words_not_used: words of the prompt that changed nothing.
        unknown: keys of a semi-structured prompt that do not exist.
        foreign_parts: parts spoken of that the schema does not have, such as "ear".
    """

    degrees: FloatArray
    attributes: tuple[FoundAttribute, ...]
    words_not_used: tuple[str, ...]
    unknown: tuple[UnknownKey, ...]
    foreign_parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What words alone say.

    Attributes:
        found: schema row -> attribute, with the degree of the reading; 0 when denied.
        unused: words that changed nothing.
        foreign: parts spoken of that the schema does not have.
    """

    found: Mapping[int, FoundAttribute]
    unused: tuple[str, ...]
    foreign: tuple[str, ...]


class TextInterpreter:
    """Reads prompts for one bundle. Letter key: A attributes, N phrases, T tokens, E width of embeddings."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._schema = bundle.schema
        self._lexicon = Lexicon(bundle.schema)
        self._expectation = Expectation(bundle.degrees, bundle.schema)

    @property
    def schema(self) -> AttributeSchema:
        """The attributes it reads for."""
        return self._schema

    @property
    def prior(self) -> FloatArray:
        """(A,) what is expected when nothing is said."""
        return self._expectation.prior

    def interpret(self, prompt: str) -> Interpretation:
        """Degrees from ``"wing color: blue | size: small"`` (read exactly) or from free English.

        Raises PromptError for an empty or overlong prompt and for one without a single attribute.
        """
        words = len(prompt.split())
        if not words or words > MAX_WORDS:
            raise PromptError(
                f"the prompt has {words} words; 1 to {MAX_WORDS} are read, such as 'a small bird with a red crown'"
            )
        if is_structured(prompt, self._schema):
            return self._exact(prompt)
        reading = self.read(prompt)
        if not any(attribute.degree > 0 for attribute in reading.found.values()):
            raise PromptError(
                f"no attribute was understood in {prompt[:80]!r}; name parts and their colours, patterns or sizes, or "
                f"use keys, such as {self._schema.keys[0]!r}"
            )
        return self._expected(prompt, reading)

    def embed(self, phrases: Sequence[str]) -> FloatArray:
        """(N, E) unit sentence embeddings of N >= 1 phrases."""
        encodings = self._bundle.tokenizer.encode_batch(list(phrases))
        longest = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(phrases), longest), dtype=np.int64)
        mask = np.zeros((len(phrases), longest), dtype=np.int64)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = encoding.attention_mask
        (embedding,) = self._bundle.text.run(["embedding"], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(embedding, dtype=np.float32)

    def _exact(self, prompt: str) -> Interpretation:
        parsed = self._schema.parse(prompt)
        unknown = tuple(UnknownKey(key, self._schema.nearest(key)) for key in parsed.unknown)
        if not parsed.attributes:
            hints = "; ".join(f"{entry.key!r} (nearest: {', '.join(entry.nearest)})" for entry in unknown)
            raise PromptError(f"no known attribute in the prompt: {hints or 'every prompt set is left empty'}")
        found = {
            row: FoundAttribute(self._schema.keys[row], 1.0, self._schema.keys[row], "exact", 1.0)
            for row in parsed.attributes
        }
        degrees = self._expectation.complete({row: attribute.degree for row, attribute in found.items()})
        return self._account(degrees, Reading(found, (), ()), unknown)

    def read(self, prompt: str) -> Reading:
        """What the words of free English say of attributes, before anything is expected of the rest."""
        mentions = PhraseReader().read(self._lexicon.read(prompt))
        said: dict[int, FoundAttribute] = {}
        implied: dict[int, FoundAttribute] = {}
        unused: list[str] = []
        foreign: list[str] = []
        strangers: list[Mention] = []
        for mention in mentions:
            if mention.foreign:
                foreign.append(mention.foreign)
                unused += [mention.word] if mention.word != mention.foreign else []
                continue
            if not mention.values:
                strangers.append(mention)
                continue
            direct, spread = self._rows(mention)
            for rows, into in ((direct, said), (spread, implied)):
                for row, degree in rows.items():
                    self._note(into, row, 0.0 if mention.negated else degree, mention.text, "lexical", degree)
            if not direct and not spread:
                unused.append(mention.word)
        unused += self._similar(strangers, said)
        # only a part's own colour stands against that of the whole: with a red patch a black bird's wing stays black
        spoken = {self._schema.prompt_index[row] for row, found in said.items() if found.degree > MARKING}
        kept = {row: found for row, found in implied.items() if self._schema.prompt_index[row] not in spoken}
        return Reading(kept | said, tuple(dict.fromkeys(unused)), tuple(dict.fromkeys(foreign)))

    def _rows(self, mention: Mention) -> tuple[dict[int, float], dict[int, float]]:
        """Schema rows a mention speaks of, with degrees: of the part itself, and of parts that only share the value."""
        prompt_of = self._schema.prompt_index
        values = {row: degree * mention.weight for row, degree in mention.values.items()}
        if mention.telling:
            sure = {row: degree for row, degree in values.items() if degree >= SURE}
            return sure, {row: degree for row, degree in values.items() if row not in sure}
        if mention.part is not WHOLE:
            bound = {
                row: d * mention.part[prompt_of[row]] for row, d in values.items() if prompt_of[row] in mention.part
            }
            if bound or not mention.trailing:
                return bound, {}
        whole = {row: d for row, d in values.items() if prompt_of[row] in self._lexicon.whole_prompts}
        if not whole and len({prompt_of[row] for row in values}) == 1:
            return values, {}  # "hooked" is said of bills only: the part need not be named
        spread = {row: d * SPREAD for row, d in values.items() if prompt_of[row] in self._lexicon.spread_prompts}
        return whole, spread

    def _note(
        self, into: dict[int, FoundAttribute], row: int, degree: float, phrase: str, how: How, confidence: float
    ) -> None:
        """Keep the strongest reading of an attribute; a denial yields to none."""
        old = into.get(row)
        if old is None or degree > old.degree:
            into[row] = FoundAttribute(self._schema.keys[row], degree, phrase, how, confidence)

    def _similar(self, strangers: Sequence[Mention], found: dict[int, FoundAttribute]) -> list[str]:
        """Ask the language model about words outside the lexicon; returns those it does not know either."""
        if not strangers:
            return []
        unused = []
        cosines = self.embed([mention.text for mention in strangers]) @ self._bundle.attribute_embeddings.T  # (N, A)
        for mention, row_cosines in zip(strangers, cosines, strict=True):
            allowed = [
                row
                for row, prompt in enumerate(self._schema.prompt_index)
                if mention.part is WHOLE or mention.trailing or prompt in mention.part
            ]
            best = max(allowed, key=lambda row: float(row_cosines[row]), default=None)
            if best is None or row_cosines[best] < SIMILAR:
                unused.append(mention.word)
                continue
            cosine = min(1.0, float(row_cosines[best]))
            degree = 0.0 if mention.negated else cosine * mention.weight
            self._note(found, best, degree, mention.text, "similar", cosine)
        return unused

    def _expected(self, prompt: str, reading: Reading) -> Interpretation:
        """A reading of free English with the degrees it leads one to expect."""
        said = {row: attribute.degree for row, attribute in reading.found.items()}
        learned = self._bundle.sentences
        if learned is None:
            return self._account(self._expectation.complete(said), reading, ())
        evidence = lexical_evidence(said, len(self._schema))
        features = learned.features(evidence, words_of(prompt), self.embed([prompt])[0])
        degrees = self._expectation.deviating(learned.deviation(features), said)
        return self._account(degrees, reading, ())

    def _account(self, degrees: FloatArray, reading: Reading, unknown: tuple[UnknownKey, ...]) -> Interpretation:
        found = tuple(replace(reading.found[row], degree=float(degrees[row])) for row in sorted(reading.found))
        return Interpretation(degrees, found, reading.unused, unknown, reading.foreign)


def is_structured(prompt: str, schema: AttributeSchema) -> bool:
    """True when every part between bars has a colon and at least one starts with the name of a prompt set."""
    parts = [part.partition(":") for part in prompt.split("|") if part.strip()]
    names = {" ".join(prompt.lower().split()) for prompt, _, _ in parts}
    known = {name.lower() for name in schema.prompts}
    return all(colon for _, colon, _ in parts) and bool(names & known)
