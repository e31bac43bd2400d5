"""Types in words, for help and for messages about wrong values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

_WORDS = {
    bool: ("true or false", "truth values"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
    Path: ("a path", "paths"),
    NoneType: ("null", "nulls"),
    dict: ("a mapping", "mappings"),
}
"""Type -> its words for one value and for several."""


def type_name(hint: Any) -> str:
    """What a value of this type is, such as "a whole number or null" or "a list of 2 numbers"."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(", ".join(map(str, arguments)).rsplit(", ", 1))
    if origin in (Union, UnionType):
        return " or ".join(type_name(argument) for argument in arguments)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"a list of {len(arguments)} {_several(arguments[0])}"
    if origin in (tuple, list, Sequence):
        return f"a list of {_several(arguments[0])}"
    return _WORDS[origin or hint][0]


def _several(hint: Any) -> str:
    return _WORDS[hint][1]
