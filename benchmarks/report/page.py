"""Which parts of docs/performance.md come from which results, and putting them there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.report import (
    faults_section,
    load_pictures,
    load_tables,
    memory_section,
    registry_section,
    training_step_section,
)
from benchmarks.serving import results
from duet_core.figures.style import Picture

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "performance.md"
_PART = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- end of results -->)", re.DOTALL)


def _none(_: dict[str, Any]) -> list[Picture]:
    return []


@dataclass(frozen=True)
class Section:
    """How results are told: as Markdown, and as pictures named by it."""

    markdown: Callable[[dict[str, Any]], str]
    pictures: Callable[[dict[str, Any]], list[Picture]] = _none


SECTIONS: Mapping[str, Section] = MappingProxyType(
    {
        "faults": Section(faults_section.markdown),
        "load": Section(load_tables.markdown, load_pictures.pictures),
        "memory": Section(memory_section.markdown, memory_section.pictures),
        "registry": Section(registry_section.markdown, registry_section.pictures),
        "training_step": Section(training_step_section.markdown),
    }
)
"""By the name of the benchmark, which is that of the file of its results."""


def rewritten(page: str, folder: Path) -> str:
    """The page with what stands between ``<!-- results: NAME -->`` and ``<!-- end of results -->`` made anew.

    Results that were not measured leave one line that says how. Raises KeyError for a name that is no section.
    """

    def part(match: re.Match[str]) -> str:
        opening, name, closing = match.groups()
        result = results.load(name, folder)
        told = SECTIONS[name].markdown(result) if result else f"Not measured yet: `make bench ONLY={name}`."
        return f"{opening}{told.strip()}\n{closing}"

    return _PART.sub(part, page)


def pictures(folder: Path) -> list[Picture]:
    """Those of all results that there are."""
    found = ((name, results.load(name, folder)) for name in SECTIONS)
    return [picture for name, result in found if result for picture in SECTIONS[name].pictures(result)]
