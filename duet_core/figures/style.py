"""How every picture looks: colours, type, sizes; and from a matplotlib figure to an SVG that fits into a page.

Colours are Okabe and Ito's, told apart with any colour vision, and legible on white and on dark paper. Text stays text
in the SVG, so it can be searched, copied and read aloud.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, QUIET, GRID, PAPER = "#1d2a36", "#5a6774", "#dde3e8", "#fefefe"
"""Text, secondary text, rules, background; the colours that a dark page replaces."""
BLUE, ORANGE, GREEN, PINK = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
SKY, AMBER, GREY = "#56b4e9", "#e69f00", "#8a949d"
CYCLE = (BLUE, ORANGE, GREEN, PINK, AMBER, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")
"""Shapes beside the colours: nothing is told by colour alone."""
SEQUENTIAL = "Blues"
"""Of heat maps: paper at 0, dark blue at 1."""

WIDTH = 4.4
"""Inches of a picture that stands beside another; one of twice the width fills the page."""

_THEMED = {INK: "--ink", QUIET: "--quiet", GRID: "--grid", PAPER: "--paper", BLUE: "--blue"}
_RC: Any = {  # matplotlib types the names of its settings
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.labelsize": 9.0,
    "axes.labelcolor": QUIET,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": PAPER,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
}
_FONTS = "'DejaVu Sans', Verdana, Geneva, sans-serif"
_STYLE_ATTRIBUTE = re.compile(r'style="[^"]*"')


@dataclass(frozen=True)
class Picture:
    """One finished picture.

    Attributes:
        name: a word for files and anchors, such as "seen-unseen-curve".
        alt: what it shows, for those who do not see it.
        svg: a whole SVG document on light paper.
    """

    name: str
    alt: str
    svg: str

    @property
    def inline(self) -> str:
        """The SVG as an element of an HTML page, in the page's colours: no prolog, nothing with an address in it."""
        element = self.svg[self.svg.index("<svg") :]
        element = re.sub(r' xmlns(:\w+)?="[^"]*"', "", element)
        return _STYLE_ATTRIBUTE.sub(lambda match: _themed(match.group()), element)


def _themed(style: str) -> str:
    for colour, variable in _THEMED.items():
        style = style.replace(colour, f"var({variable}, {colour})")
    return style


@contextmanager
def drawing(width: float, height: float, **subplots: Any) -> Iterator[tuple[Figure, Any]]:
    """A figure of this size in inches in the common style, and its axes as `Figure.subplots` gives them."""
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots(**subplots)


def finish(figure: Figure, *, name: str, alt: str) -> Picture:
    """The drawn figure as a picture; the same bytes whenever the same is drawn. To be called inside `drawing`."""
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)  # ids are of the whole page once it is in one
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{name}-\1"', svg)
    svg = svg.replace("'DejaVu Sans'", _FONTS)
    text = html.escape(alt)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{text}" ', 1)
    opened = svg.index(">") + 1
    return Picture(name, alt, f"{svg[:opened]}\n <title>{text}</title>{svg[opened:]}")


def title(figure: Figure, text: str) -> None:
    """The title of a picture, at its left edge, whatever the names beside the axes take."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=10, fontweight="bold")


def percent_axis(axes: Axes, which: str = "x") -> None:
    """Shares in 0…1 along this axis are written as percent."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def plain_list(axes: Axes) -> None:
    """Horizontal bars: names without rules between them, the first on top."""
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.invert_yaxis()
