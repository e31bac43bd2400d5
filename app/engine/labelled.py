"""Photos whose class a client has told: what prediction sets of a class space are calibrated with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from duet_core.classes import FloatArray

MOST_PHOTOS = 5000
"""Labelled photos a class space may have; sets hardly gain from more."""
MOST_SPACES = 64


@dataclass(frozen=True, eq=False)
class Labelled:
    """The labelled photos of a class space; never changed, only replaced.

    Attributes:
        revision: of the space when the first of them was given.
        v: (N, A) predicted attributes.
        class_ids: (N,) the classes they show.
    """

    revision: int
    v: FloatArray
    class_ids: tuple[str, ...]


class LabelledPhotos(Protocol):
    """Keeps one `Labelled` for each class space."""

    shared: bool
    """Whether all processes with the same store have the same."""

    async def find(self, space: str) -> Labelled | None:
        """Those of a space, or None."""
        ...

    async def keep(self, space: str, labelled: Labelled, *, append: bool) -> None:
        """Add them to those of the space, or put them in their place. May raise StoreUnavailable: none is kept then."""
        ...

    async def forget(self, space: str) -> None:
        """Have none for this space. May raise StoreUnavailable."""
        ...

    async def close(self) -> None:
        """Let go of what they are kept in."""
        ...
