"""Sizes told by comparison or measure, put into words: "larger than a crow", "about 6 inches long"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

SIZES = ("very small", "small", "medium", "large", "very large")
"""Words a size becomes, smallest first."""

INCHES = (5.0, 9.0, 16.0, 32.0)
"""Where one size ends and the next begins, in inches of body length, as CUB-200-2011 asked its annotators."""

_PER_INCH = {"inch": 1.0, "inches": 1.0, "in": 1.0, "cm": 1 / 2.54, "centimetres": 1 / 2.54, "centimeters": 1 / 2.54}
_NUMBER = r"(?P<low>\d+(?:\.\d+)?)(?:\s*(?:-|–|to)\s*(?P<high>\d+(?:\.\d+)?))?\s*-?\s*"
_UNIT = rf"(?P<unit>{'|'.join(sorted(_PER_INCH, key=len, reverse=True))})\b(?:\s+(?:long|in length))?"
_MEASURE = re.compile(_NUMBER + _UNIT)
_OTHER_SPAN = re.compile(r"(?:wingspan|wings?|tail|bill|beak|legs?|across|weigh\w*)[^,.;]{0,24}$")
"""What stands before a measure that is not of the whole body."""


class Comparisons:
    """Replaces comparisons with well-known animals, and measures, by one of `SIZES`."""

    def __init__(self, ranks: Mapping[str, int]) -> None:
        """Take animals with the row of their size in `SIZES`, such as {"crow": 3}."""
        self._ranks = dict(ranks)
        names = "|".join(sorted((re.escape(name) for name in ranks), key=len, reverse=True))
        animal = rf"(?:(?:an?|the|your)\s+)?(?P<animal>{names})s?\b"
        self._than = re.compile(
            r"\b(?P<much>much\s+|a bit\s+|slightly\s+|somewhat\s+)?(?P<way>larger|bigger|smaller)\s+than\s+" + animal
        )
        self._like = re.compile(
            rf"\b(?:(?:about\s+|roughly\s+)?(?:the\s+)?(?:same\s+)?size\s+of|as\s+(?:big|large|small)\s+as)\s+{animal}"
        )
        self._sized = re.compile(rf"\b(?P<animal>{names})[\s-]+sized?\b")

    def replaced(self, text: str) -> str:
        """The text in lower case, each comparison now a size: "bigger than a crow" is "very large"."""
        text = self._than.sub(lambda match: self._shifted(match), text.lower())
        for pattern in (self._like, self._sized):
            text = pattern.sub(lambda match: SIZES[self._ranks[match["animal"]]], text)
        return _MEASURE.sub(_measured, text)

    def _shifted(self, match: re.Match[str]) -> str:
        """ "slightly larger than a robin" is as large as a robin or a little more: the same size."""
        rank = self._ranks[match["animal"]]
        little = match["much"] is not None and not match["much"].startswith("much")
        step = 0 if little else -1 if match["way"] == "smaller" else 1
        return SIZES[min(max(rank + step, 0), len(SIZES) - 1)]


def _measured(match: re.Match[str]) -> str:
    if _OTHER_SPAN.search(match.string[: match.start()]):
        return match[0]
    inches = [float(value) * _PER_INCH[match["unit"]] for value in (match["low"], match["high"]) if value]
    return size_of(inches)


def size_of(inches: Sequence[float]) -> str:
    """The size of a body of this length, or of the middle of a range."""
    middle = sum(inches) / len(inches)
    return SIZES[sum(middle > bound for bound in INCHES)]
