"""The registry results as a table and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report.table import chosen, number, table, values
from benchmarks.serving.machine import in_words
from duet_core.figures.style import CYCLE, MARKERS, WIDTH, Picture, drawing, finish, title

COLUMNS = (
    ("registered a second", "registered_a_second", 0),
    ("from the store s", "store_s", 2),
    ("from the copy s", "copy_s", 2),
    ("memory added MB", "memory_mb", 0),
    ("of it class vectors MB", "vectors_mb", 1),
    ("seen only ms", "seen_ms", 2),
    ("all ms", "all_ms", 2),
    ("added ms", "added_ms", 2),
    ("one change ms", "change_ms", 2),
    ("as_of ms", "as_of_ms", 2),
)
PANELS = (("added_ms", "added to a photo, ms"), ("memory_mb", "memory added, MB"), ("copy_s", "start from the copy, s"))


def markdown(result: Mapping[str, Any]) -> str:
    """The section."""
    rows = [
        [row["store"], f"{row['classes']:,}", *(number(row[name], digits) for _, name, digits in COLUMNS)]
        for row in result["rows"]
    ]
    heads = ["store", "classes", *(head for head, _, _ in COLUMNS)]
    return (
        f"{in_words(result['machine'])}.\n\n{table(heads, rows)}\n\n"
        f"![Time added to a photo, memory and start-up by number of classes, in both stores](registered-classes.svg)"
        f"{_goals(result)}"
    )


def _goals(result: Mapping[str, Any]) -> str:
    """The floors and goals are of 100,000 classes; nothing where these were not measured."""
    rows = chosen(result["rows"], classes=100_000)
    if not rows:
        return ""
    added, memory = (", ".join(number(row[name], 1) for row in rows) for name in ("added_ms", "memory_mb"))
    stores = ", ".join(row["store"] for row in rows)
    told = table(
        ["what", "floor", "goal", f"measured ({stores})"],
        [
            ["added to a photo by 100,000 classes", "30 ms", "10 ms", f"{added} ms"],
            ["memory for 100,000 classes", "300 MB", "", f"{memory} MB"],
        ],
    )
    return f"\n\n{told}"


def pictures(result: Mapping[str, Any]) -> list[Picture]:
    """One panel a measure, both axes logarithmic."""
    told = []
    with drawing(2 * WIDTH, 2.6, ncols=len(PANELS)) as (figure, axes):
        for panel, (name, label) in zip(axes, PANELS, strict=True):
            for store, colour, marker in zip(values(result["rows"], "store"), CYCLE, MARKERS, strict=False):
                rows = [row for row in chosen(result["rows"], store=store) if row[name] > 0]
                counts, measured = [row["classes"] for row in rows], [row[name] for row in rows]
                panel.plot(counts, measured, marker=marker, markersize=5, color=colour, label=store)
                told.append(f"{label} in {store}: " + ", ".join(f"{value:.3g}" for value in measured))
            panel.set(xscale="log", yscale="log", xlabel="registered classes", ylabel=label)
        axes[0].legend(loc="upper left")
        title(figure, "What registered classes cost")
        alt = f"Costs by number of registered classes. {'; '.join(told)}."
        return [finish(figure, name="registered-classes", alt=alt)]
