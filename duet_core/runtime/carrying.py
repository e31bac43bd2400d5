"""A class described for one bundle's attributes, in those of another: what carries over, and what must not."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from duet_core.attributes import AttributeSchema
from duet_core.classes import FloatArray
from duet_core.runtime.lexicon import Lexicon
from duet_core.runtime.phrases import PhraseReader
from duet_core.runtime.text import Interpretation, PromptError, TextInterpreter, is_structured

LEAST_KEPT = 0.99
"""Least cosine of a class vector and what is left of it without the attributes that are gone.

From here two classes can hardly be told apart, which is also what near duplicates are held to.
"""
SHOWN = 3


class CannotCarry(ValueError):
    """A class that the new attributes cannot express; the message says what is missing."""


def carried_degrees(
    degrees: FloatArray, *, source: AttributeSchema, target: AttributeSchema, prior: FloatArray
) -> FloatArray:
    """(B,) degrees by the names of the attributes.

    As in a mapping, a prompt set that the class has an attribute of says all there is to say; one that the class's own
    schema did not have is unknown, not absent, and takes the prior.

    Args:
        degrees: (A,) in the order of `source`, at least 0.
        source, target: the A attributes they belong to, and the B wanted.
        prior: (B,) mean degrees of the seen classes.

    Raises:
        CannotCarry: attributes that matter are not among those wanted.
    """
    rows = np.array([-1 if (row := target.find(key)) is None else row for key in source.keys])
    gone = (rows < 0) & (degrees > 0)
    whole = float(np.linalg.norm(degrees))
    if not whole or float(np.linalg.norm(degrees[~gone])) < LEAST_KEPT * whole:
        order = sorted(np.flatnonzero(gone), key=lambda row: -degrees[row])
        raise CannotCarry(f"it has {_named(source.keys[row] for row in order)}, unknown here")
    carried = np.array(prior, dtype=np.float32)
    for row in rows[rows >= 0]:
        carried[list(target.prompt_sets[target.prompt_index[row]])] = 0.0
    carried[rows[rows >= 0]] = degrees[rows >= 0] / degrees.max()
    return carried


class SentenceCarrier:
    """Reads again, for the attributes of one bundle, sentences that were written for others."""

    def __init__(self, interpreter: TextInterpreter) -> None:
        self._interpreter = interpreter
        self._lexicons: dict[AttributeSchema, Lexicon] = {}

    def degrees(self, sentence: str, source: AttributeSchema | None) -> FloatArray:
        """(B,) degrees as if the class were registered now.

        A client saw how the sentence was understood and let it stand; nobody sees it now. So nothing that meant
        something then may mean nothing now.

        Args:
            source: the attributes it was written for. Without them no word may stay unused.

        Raises:
            CannotCarry: it says what these attributes do not have.
        """
        if source is not None and is_structured(sentence, source):
            self._check_keys(sentence, source)
        try:
            read = self._interpreter.interpret(sentence)
        except PromptError as error:
            raise CannotCarry(str(error)) from None
        if read.unknown:
            raise CannotCarry(f"it says {_named(entry.key for entry in read.unknown)}, unknown here")
        lost = self._lost(sentence, read, source)
        if lost:
            raise CannotCarry(f"it says {_named(lost)}, which means nothing here")
        return read.degrees

    def _check_keys(self, sentence: str, source: AttributeSchema) -> None:
        keys = [source.keys[row] for row in source.parse(sentence).attributes]
        gone = [key for key in keys if self._interpreter.schema.find(key) is None]
        if gone:
            raise CannotCarry(f"it says {_named(gone)}, unknown here")

    def _lost(self, sentence: str, read: Interpretation, source: AttributeSchema | None) -> list[str]:
        """Words of the sentence that meant something for `source` and mean nothing now."""
        if source is None:
            return [*read.words_not_used, *read.foreign_parts]
        if source not in self._lexicons:
            self._lexicons[source] = Lexicon(source)
        mentions = PhraseReader().read(self._lexicons[source].read(sentence))
        meant = {mention.word for mention in mentions if mention.values and not mention.foreign}
        foreign = {mention.foreign for mention in mentions}
        lost = [word for word in read.words_not_used if word in meant]
        return lost + [part for part in read.foreign_parts if part not in foreign]


def _named(words: Iterable[str]) -> str:
    """The first few, for a message."""
    known = list(words)
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return ", ".join(map(repr, known[:SHOWN])) + more
