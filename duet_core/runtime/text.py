"""From a prompt sentence to the degrees of a class, with an account of what was understood and what was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray
from duet_core.runtime.bundle import Bundle
from duet_core.runtime.expectation import Expectation
from duet_core.runtime.lexicon import Lexicon
from duet_core.runtime.phrases import MARKING, WHOLE, Mention, PhraseReader

How = Literal["exact", "lexical", "similar"]

SPREAD = 0.8
"""Degree, against 1 when said, that a value said of the whole ("a black bird") gives to parts nothing is said of."""

SIMILAR = 0.65
"""Least cosine of a phrase nobody told us about and an attribute's phrase for the phrase to count as that attribute."""

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
    """

    degrees: FloatArray
    attributes: tuple[FoundAttribute, ...]
    words_not_used: tuple[str, ...]
    unknown: tuple[UnknownKey, ...]


class TextInterpreter:
    """Reads prompts for one bundle. Letter key: A attributes, N phrases, T tokens, E width of embeddings."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._schema = bundle.schema
        self._lexicon = Lexicon(bundle.schema)
        self._expectation = Expectation(bundle.degrees, bundle.schema)

    def interpret(self, prompt: str) -> Interpretation:
        """Degrees from ``"wing color: blue | size: small"`` (read exactly) or from free English.

        Raises PromptError for an empty or overlong prompt and for one without a single attribute.
        """
        words = len(prompt.split())
        if not words or words > MAX_WORDS:
            raise PromptError(
                f"the prompt has {words} words; 1 to {MAX_WORDS} are read, such as 'a small bird with a red crown'"
            )
        if _is_structured(prompt, self._schema):
            return self._exact(prompt)
        found, unused = self._free(prompt)
        if not any(attribute.degree > 0 for attribute in found.values()):
            raise PromptError(
                f"no attribute was understood in {prompt[:80]!r}; name parts and their colours, patterns or sizes, or "
                f"use keys, such as {self._schema.keys[0]!r}"
            )
        return self._finish(found, unused, ())

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
        return self._finish(found, (), unknown)

    def _free(self, prompt: str) -> tuple[dict[int, FoundAttribute], tuple[str, ...]]:
        mentions = PhraseReader().read(self._lexicon.read(prompt))
        said: dict[int, FoundAttribute] = {}
        implied: dict[int, FoundAttribute] = {}
        unused: list[str] = []
        strangers: list[Mention] = []
        for mention in mentions:
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
        return kept | said, tuple(dict.fromkeys(unused))

    def _rows(self, mention: Mention) -> tuple[dict[int, float], dict[int, float]]:
        """Schema rows a mention speaks of, with degrees: of the part itself, and of parts that only share the value."""
        prompt_of = self._schema.prompt_index
        values = {row: degree * mention.weight for row, degree in mention.values.items()}
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

    def _finish(
        self, found: dict[int, FoundAttribute], unused: tuple[str, ...], unknown: tuple[UnknownKey, ...]
    ) -> Interpretation:
        degrees = self._expectation.complete({row: attribute.degree for row, attribute in found.items()})
        attributes = tuple(replace(found[row], degree=float(degrees[row])) for row in sorted(found))
        return Interpretation(degrees, attributes, unused, unknown)


def _is_structured(prompt: str, schema: AttributeSchema) -> bool:
    """True when every part between bars has a colon and at least one starts with the name of a prompt set."""
    parts = [part.partition(":") for part in prompt.split("|") if part.strip()]
    names = {" ".join(prompt.lower().split()) for prompt, _, _ in parts}
    known = {name.lower() for name in schema.prompts}
    return all(colon for _, colon, _ in parts) and bool(names & known)
