"""What a report is made of, and how its captions say where a figure is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from duet_core.figures.style import Picture
from duet_core.judging.held_out import HeldOut
from duet_core.judging.interpretation import Sheet
from duet_core.runtime import Bundle
from duet_core.statistics import AttributeStatistics


@dataclass(frozen=True, eq=False)
class Material:
    """Models on held-out photos of one split.

    Attributes:
        bundle: the model described.
        models: what it and others say of the photos; the first is of `bundle`, the others are in the curve only.
        sheets: interpretation sheets.
        seed: of the draw of their photos; None when they were named.
        command: that makes the report again.
    """

    bundle: Bundle
    models: Sequence[HeldOut]
    sheets: Sequence[Sheet]
    seed: int | None
    command: str

    @property
    def first(self) -> HeldOut:
        """The model described."""
        return self.models[0]

    @cached_property
    def statistics(self) -> AttributeStatistics:
        """Of all classes of the benchmark."""
        return AttributeStatistics(self.first.benchmark.classes.present, self.first.benchmark.schema)

    def source(self, *groups: str) -> str:
        """The line under a figure of photos of the groups "seen" and "unseen", or of the class table alone."""
        held_out = self.first
        sizes = {"seen": len(held_out.seen), "unseen": len(held_out.unseen)}
        classes = {"seen": len(held_out.split.seen_classes), "unseen": len(held_out.split.unseen_classes)}
        photos = [f"{sizes[one]:,} photos of {classes[one]} {one} classes" for one in groups]
        if not photos:
            return (
                f"{held_out.benchmark.name}: {len(held_out.benchmark.classes.names)} classes, no photo · {self.command}"
            )
        trained = self.bundle.manifest.get("training", {}).get("seed")
        seed = "" if trained is None else f"training seed {trained} · "
        split = f"{held_out.benchmark.name}, {held_out.split.name} split"
        return f"{split} · {' and '.join(photos)} · γ {held_out.gamma:.4f} of the bundle · {seed}{self.command}"


@dataclass(frozen=True)
class Part:
    """One section made: its HTML, the pictures in it, other files (name to bytes), and its numbers."""

    anchor: str
    heading: str
    body: str
    pictures: tuple[Picture, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()
    numbers: Any = None
