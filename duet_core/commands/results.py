"""`duet results`: the table of finished runs, as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, stdev

from duet_core.protocol import Record

_NAMES = ("T1", "U", "S", "H", "AUSUC")


def run(folder: Path) -> str:
    """Print mean ± standard deviation over seeds of every row whose test records lie below a folder.

    Args:
        folder: such as runs/birds, or training/records/birds in the repository.

    Raises FileNotFoundError when there is none.
    """
    rows: dict[str, list[Record]] = {}
    for file in sorted(folder.rglob("*.json")):
        content = json.loads(file.read_text())
        if isinstance(content, dict) and content.get("split") == "test" and "metrics" in content:
            rows.setdefault(content["row"], []).append(Record(**content))
    if not rows:
        raise FileNotFoundError(f"no test records below {folder}; run: duet train training/configs/birds.yaml")
    head = f"| row | seeds | {' | '.join(_NAMES)} | minutes a run |"
    lines = [head, "|---" * (len(_NAMES) + 3) + "|"]
    for row, records in sorted(rows.items(), key=lambda item: fmean(one.metrics["H"] for one in item[1])):
        figures = " | ".join(_mean_and_deviation([100 * one.metrics[name] for one in records]) for name in _NAMES)
        minutes = fmean(one.seconds for one in records) / 60
        lines.append(f"| {row} | {len(records)} | {figures} | {minutes:.1f} |")
    return "\n".join(lines)


def _mean_and_deviation(values: list[float]) -> str:
    return f"{values[0]:.1f}" if len(values) == 1 else f"{fmean(values):.1f} ± {stdev(values):.1f}"
