"""Tables of figures as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str | float]], *, digits: int = 3) -> str:
    """A Markdown table; numbers get `digits` decimals, whole ones none."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [f"| {' | '.join(_cell(value, digits) for value in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: str | float, digits: int) -> str:
    return str(value) if isinstance(value, str | int) else f"{value:.{digits}f}"
