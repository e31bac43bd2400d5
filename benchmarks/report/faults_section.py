"""What attacks and faults did, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report.table import number, table
from benchmarks.serving.machine import in_words

HEADS = ("what was done", "inputs", "answers", "5xx but deliberate 503", "lost", "most memory")


def markdown(result: Mapping[str, Any]) -> str:
    """The section."""
    rows = result["rows"]
    lines = [
        [
            row["scenario"],
            f"{row['inputs']:,}",
            ", ".join(f"{kind}: {count:,}" for kind, count in sorted(row["answers"].items())),
            str(row["unasked"]),
            str(row["lost"]),
            number(row["peak_mb"], 0, " MB"),
        ]
        for row in rows
    ]
    inputs, unasked, lost = (sum(row[name] for row in rows) for name in ("inputs", "unasked", "lost"))
    peak = max(row["peak_mb"] for row in rows)
    every = ["**all**", f"{inputs:,}", "", str(unasked), str(lost), number(peak, 0, " MB")]
    return f"{in_words(result['machine'])}.\n\n{table(HEADS, [*lines, every])}"
