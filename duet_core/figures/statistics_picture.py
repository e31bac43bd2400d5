"""Figure 7: how unevenly attributes occur, and which come together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from duet_core.figures.style import BLUE, INK, ORANGE, QUIET, WIDTH, Picture, drawing, finish, plain_list, title
from duet_core.statistics import AttributeStatistics, Pair

NAMED = 5
"""Attributes named at either end of the distribution."""


def frequency_picture(statistics: AttributeStatistics, *, what: str, name: str = "attribute-frequency") -> Picture:
    """The number of classes that have each attribute, most frequent first; the ends of the row are named."""
    counts = np.sort(statistics.counts)[::-1]
    most, least = statistics.extremes(NAMED)
    with drawing(WIDTH, 3.5) as (figure, axes):
        axes.stairs(counts, np.arange(len(counts) + 1), fill=True, color=BLUE)
        axes.set_xlim(0, len(counts))
        axes.set_ylim(0, None)
        axes.grid(visible=False, axis="x")
        title(figure, f"How many of {len(statistics.present)} classes have an attribute")
        axes.set_xlabel(f"the {len(counts)} attributes, most frequent first")
        axes.set_ylabel("classes")
        lines, ends = (
            [f"{_short(statistics.schema.keys[row])} {statistics.counts[row]}" for row in rows]
            for rows in (most, least[::-1])
        )
        text = "\n".join([*lines, "…", *ends])
        axes.text(0.99, 0.98, text, transform=axes.transAxes, ha="right", va="top", fontsize=7.5, color=INK)
        middle = int(np.median(counts))
        alt = (
            f"Bar chart of {what}: classes for each of {len(counts)} attributes, from {counts[0]} "
            f"({statistics.schema.keys[most[0]]}) over a median of {middle} down to {counts[-1]} "
            f"({statistics.schema.keys[least[0]]})."
        )
        return finish(figure, name=name, alt=alt)


def pairs_picture(
    pairs: Sequence[Pair], *, heading: str, what: str, name: str = "attribute-pairs", few: int = 12
) -> Picture:
    """Classes with both attributes of a pair and with the given one alone, and the ratio of the two (Eq. 28)."""
    shown = list(pairs)[:few]
    with drawing(WIDTH, 0.9 + 0.44 * max(len(shown), 3)) as (figure, axes):
        _draw_pairs(axes, shown)
        title(figure, heading)
        told = "; ".join(f"{_short(one.first)} with {_short(one.given)}: R {one.ratio_text}" for one in shown)
        return finish(figure, name=name, alt=f"Bar chart of {what}: {told or 'no pair'}.")


def _draw_pairs(axes: Axes, pairs: Sequence[Pair]) -> None:
    places = np.arange(len(pairs))
    both, alone = [one.together for one in pairs], [one.alone for one in pairs]
    axes.barh(places, both, height=0.34, color=BLUE, label="classes with both")
    axes.barh(places, alone, height=0.34, left=both, color=ORANGE, label="with the second alone", hatch="////",
              edgecolor="#ffffff", linewidth=0)  # fmt: skip
    most = max([one.together + one.alone for one in pairs], default=1)
    for place, one in enumerate(pairs):
        label = f"{_short(one.first)} ← {_short(one.given)}"
        axes.text(0, place - 0.27, label, fontsize=8, color=INK, va="bottom")
        beside = one.together + one.alone + 0.015 * most
        axes.text(beside, place, f"R = {one.ratio_text}", fontsize=8, color=QUIET, va="center")
    axes.set_xlim(0, most * 1.22)
    axes.set_ylim(-0.75, max(len(pairs), 3) - 0.6)
    axes.set_yticks([])
    axes.set_xlabel("classes")
    plain_list(axes)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16 if len(pairs) < 8 else -0.09), ncols=2)


def _short(key: str, most: int = 40) -> str:
    """A key that fits into a picture; the prompt is cut first, for the name says more."""
    if len(key) <= most:
        return key
    prompt, _, name = key.partition(": ")
    room = most - len(name) - 3
    return f"{prompt[:room].rstrip()}…: {name}" if room >= 4 else f"{name[: most - 1].rstrip()}…"
