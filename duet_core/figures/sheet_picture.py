"""Interpretation sheets in the manner of Figure 6: what the masks are filled with, beside the class's degrees."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from duet_core.figures.style import AMBER, BLUE, GREEN, GREY, INK, QUIET, Picture, drawing, finish, title
from duet_core.judging.interpretation import Sheet, SheetAttribute, SheetSet

COLUMNS = 3
"""Columns that the prompt sets of a sheet are divided into."""
_COLUMN_WIDTH = 3.3
_HEAD, _LINE, _MISSED, _SPACE = 0.19, 0.165, 0.15, 0.09
"""Inches."""
_BAR, _BAR_END = 0.43, 0.86
_DPI = 150


def sheet_columns(sheet: Sheet, *, name: str) -> list[Picture]:
    """The prompt sets in columns, each a picture of its own, so that a page can place them beside or below another."""
    pictures = []
    for number, sets in enumerate(_columns(sheet.sets), start=1):
        with drawing(_COLUMN_WIDTH, _height(sets)) as (figure, axes):
            _draw_sets(axes, sets, _height(sets))
            told = "; ".join(f"{one.prompt}: {_told(one.attributes[0])}" for one in sets)
            alt = f"Prompt sets of {sheet.photo}, part {number}, the best attribute of each: {told}."
            pictures.append(finish(figure, name=f"{name}-{number}", alt=alt))
    return pictures


def sheet_png(sheet: Sheet, photo: Image.Image) -> bytes:
    """The whole sheet as one PNG: the photo on the left, the prompt sets in columns."""
    parts = _columns(sheet.sets)
    height = max(_height(sets) for sets in parts)
    widths = [0.9, *[1.0] * len(parts)]
    with drawing(_COLUMN_WIDTH * sum(widths), height + 0.5, ncols=len(widths), squeeze=False, width_ratios=widths) as (
        figure,
        grid,
    ):
        first, *columns = grid[0]
        first.imshow(np.asarray(photo))
        first.set_anchor("NW")
        first.set_axis_off()
        for axes, sets in zip(columns, parts, strict=True):
            _draw_sets(axes, sets, height)
        title(figure, f"{sheet_heading(sheet)}   (blue: share in the three best; amber: degree of the class)")
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
        return stream.getvalue()


def sheet_heading(sheet: Sheet) -> str:
    """Class and answer in one line."""
    kind = "seen" if sheet.seen else "unseen"
    verdict = "recognised" if sheet.right else f"answered {sheet.answer}"
    return f"{sheet.true_class} ({kind}), {verdict}, probability {sheet.probability:.0%}"


def _columns(sets: Sequence[SheetSet]) -> list[Sequence[SheetSet]]:
    size = max(1, -(-len(sets) // COLUMNS))
    return [sets[start : start + size] for start in range(0, len(sets), size)]


def _height(sets: Sequence[SheetSet]) -> float:
    lines = sum(len(one.attributes) for one in sets)
    return len(sets) * (_HEAD + _SPACE + _MISSED) + lines * _LINE + 0.1


def _told(attribute: SheetAttribute) -> str:
    return f"{attribute.name} {attribute.score:.0%}, {'in' if attribute.agrees else 'not in'} the class"


def _draw_sets(axes: Axes, sets: Sequence[SheetSet], height: float) -> None:
    """The y axis is in inches from the top, so that every column has the same type and spacing."""
    axes.set(xlim=(0, 1), ylim=(height, 0))
    axes.set_axis_off()
    y = 0.08
    for one in sets:
        axes.text(0, y, one.prompt, fontsize=8.5, fontweight="bold", color=INK, va="center")
        y += _HEAD
        for attribute in one.attributes:
            _draw_attribute(axes, y, attribute)
            y += _LINE
        if one.missed is not None:
            text = f"the class's strongest: {one.missed[0]} {one.missed[1]:.0%}"
            axes.text(0, y, text, fontsize=7, color=QUIET, va="center", style="italic")
        y += _MISSED + _SPACE


def _draw_attribute(axes: Axes, y: float, attribute: SheetAttribute) -> None:
    length = _BAR_END - _BAR
    axes.text(0.02, y, _cut(attribute.name, 22), fontsize=8, color=INK, va="center")
    axes.barh(y - 0.022, length * attribute.score, left=_BAR, height=0.066, color=BLUE)
    axes.barh(y + 0.044, length * attribute.degree, left=_BAR, height=0.042, color=AMBER)
    axes.text(0.945, y, f"{attribute.score:.0%}", fontsize=7.5, color=QUIET, va="center", ha="right")
    if attribute.agrees:  # a tick, drawn: not every typeface has one
        axes.plot([0.963, 0.975, 0.998], [y, y + 0.035, y - 0.045], color=GREEN, linewidth=1.7)
    else:
        axes.plot([0.968, 0.992], [y, y], color=GREY, linewidth=1.2)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
