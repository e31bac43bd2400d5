"""Long lists of names in messages: the first few, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

_FEW = 3


def few(names: Sequence[str]) -> str:
    """The first three names and how many more there are: "a, b, c and 4 more"; empty for none."""
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more" if more > 0 else "")
