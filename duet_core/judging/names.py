"""Names of classes as people read them, and the families that their last words make."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from duet_core.classes import BoolArray

_NUMBER = re.compile(r"^\d+\.")
_GLUE = re.compile(r"[_+\s]+")


def readable(name: str) -> str:
    """``"016.Painted_Bunting"`` as "Painted Bunting", ``"killer+whale"`` as "killer whale"."""
    return _GLUE.sub(" ", _NUMBER.sub("", name)).strip()


def family(name: str) -> str:
    """The last word in small letters: "bunting". Classes of one family are siblings."""
    return readable(name).lower().split(" ")[-1]


def siblings(names: Sequence[str]) -> BoolArray:
    """(C, C) True where two different classes have the same last word."""
    families = np.array([family(name) for name in names])
    return np.asarray((families[:, None] == families[None, :]) & ~np.eye(len(families), dtype=np.bool_))
