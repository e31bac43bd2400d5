"""A heat map of the classes that are most often taken for one another."""

from __future__ import annotations

import numpy as np

from duet_core.figures.style import INK, PAPER, SEQUENTIAL, WIDTH, Picture, drawing, finish, title
from duet_core.judging.confusion import Confusions

MOST = 20
"""Classes shown at most."""


def confusion_picture(found: Confusions, *, name: str = "confusion") -> Picture:
    """Share of the row's photos answered with the column's class, for the classes of the pairs confused most."""
    rows = found.of_top_pairs(MOST)
    share = found.share[np.ix_(rows, rows)]
    names = [found.names[row] + (" *" if not found.seen[row] else "") for row in rows]
    with drawing(WIDTH * 1.5, 0.235 * len(rows) + 2.2) as (figure, axes):
        mesh = axes.pcolormesh(share, cmap=SEQUENTIAL, vmin=0, vmax=1, edgecolors=PAPER, linewidth=0.5)
        for (row, column), value in np.ndenumerate(share):
            if value >= 0.05:
                colour = "#fdfdfd" if value > 0.55 else "#111111"
                axes.text(column + 0.5, row + 0.5, f"{100 * value:.0f}", ha="center", va="center", fontsize=7,
                          color=colour)  # fmt: skip
        axes.set_xticks(np.arange(len(rows)) + 0.5, names, rotation=55, ha="right", rotation_mode="anchor")
        axes.set_yticks(np.arange(len(rows)) + 0.5, names)
        axes.tick_params(labelsize=8, labelcolor=INK)
        axes.grid(visible=False)
        axes.invert_yaxis()
        axes.set_xlabel("answered")
        axes.set_ylabel("true class")
        title(figure, "Percent of the row's photos answered with the column (* unseen class)")
        figure.colorbar(mesh, ax=axes, shrink=0.6, format=lambda value, _: f"{100 * value:.0f} %").outline.set_visible(
            False
        )
        pairs = "; ".join(f"{one.first} as {one.second} {100 * one.first_as_second:.0f} %" for one in found.pairs(3))
        alt = (
            f"Heat map of answers by true class for {len(rows)} classes often confused; {pairs or 'none is confused'}."
        )
        return finish(figure, name=name, alt=alt)
