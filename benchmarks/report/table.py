"""Markdown tables, and medians of entries that were measured in several rounds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(table(["a", "b"], [["1", "2"]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def median(entries: Iterable[Mapping[str, Any]], name: str) -> float | None:
    """The median of what the entries call `name`; None where none has it.

    >>> median([{"p50_ms": 3.0}, {"p50_ms": 5.0}, {}], "p50_ms")
    4.0
    """
    values = [float(entry[name]) for entry in entries if name in entry]
    return statistics.median(values) if values else None


def chosen(entries: Iterable[Mapping[str, Any]], **wanted: Any) -> list[Mapping[str, Any]]:
    """The entries that have these values, in their order.

    >>> chosen([{"clients": 1}, {"clients": 2}], clients=2)
    [{'clients': 2}]
    """
    return [entry for entry in entries if all(entry.get(name) == value for name, value in wanted.items())]


def values(entries: Iterable[Mapping[str, Any]], name: str) -> list[Any]:
    """What the entries call `name`, each value once, in the order in which they come."""
    return list(dict.fromkeys(entry[name] for entry in entries))


def number(value: float | None, digits: int = 1, unit: str = "") -> str:
    """For a cell; a dash where there is nothing.

    >>> number(12345.678), number(0.5, 2, " ms"), number(None)
    ('12,345.7', '0.50 ms', '–')
    """
    return "–" if value is None else f"{value:,.{digits}f}{unit}"


def percent(value: float | None) -> str:
    """A share for a cell.

    >>> percent(0.876), percent(None)
    ('88 %', '–')
    """
    return number(None if value is None else 100 * value, 0, " %")
