"""AUROC and risk-coverage curves, in numbers and as a small SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

DoubleArray = NDArray[np.float64]

_LEFT, _WIDTH, _HEIGHT = 46, 420, 240
_NAMES_A_COLUMN = 3
_COLOURS = ("#1b6ca8", "#c2571a", "#3b7d3f", "#7a4fa3", "#555555", "#b3123f")


def auroc(known: ArrayLike, foreign: ArrayLike) -> float:
    """The chance that a known photo has more evidence than a foreign one (ties count half); 0.5 is guessing."""
    from scipy.stats import rankdata

    first, second = np.asarray(known, dtype=np.float64), np.asarray(foreign, dtype=np.float64)
    ranks = rankdata(np.concatenate([first, second]))
    return float((ranks[: len(first)].sum() - len(first) * (len(first) + 1) / 2) / (len(first) * len(second)))


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> tuple[DoubleArray, DoubleArray]:
    """Share of photos answered (N,), and share of wrong answers among them (N,), the most confident first.

    Photos of equal confidence are answered together: each then has the figures of the last of them.
    """
    sure = np.asarray(confidence, dtype=np.float64)
    order = np.argsort(-sure, kind="stable")
    wrong = np.cumsum(~np.asarray(correct, dtype=np.bool_)[order])
    count = np.arange(1, len(order) + 1)
    last = np.searchsorted(-sure[order], -sure[order], side="right") - 1
    return count[last] / len(order), wrong[last] / count[last]


def area(coverage: DoubleArray, risk: DoubleArray) -> float:
    """Mean risk over all coverages (AURC); less is better."""
    steps = np.diff(np.concatenate([[0.0], coverage]))
    return float((steps * risk).sum())


def draw_curves(curves: Mapping[str, tuple[DoubleArray, DoubleArray]], *, most: float = 0.6) -> str:
    """An SVG of risk over coverage, one line a curve, risk from 0 to `most`; the names above, three to a column."""
    rows = min(len(curves), _NAMES_A_COLUMN)
    top = 24 + 16 * rows
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 24} {top + _HEIGHT + 40}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="100%" fill="#ffffff"/><g stroke="#dddddd" fill="#444444">{_grid(top, most)}</g>',
    ]
    for number, (name, (coverage, risk)) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(
            f"{_LEFT + _WIDTH * coverage[i]:.1f},{top + _HEIGHT * (1 - min(risk[i], most) / most):.1f}"
            for i in _thinned(len(coverage))
        )
        column, row = divmod(number, _NAMES_A_COLUMN)
        x, y = _LEFT + column * _WIDTH // 2, 18 + 16 * row
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>',
            f'<path d="M{x} {y - 4}h18" stroke="{colour}" stroke-width="2.4"/>',
            f'<text x="{x + 24}" y="{y}" fill="#333333">{name}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def _thinned(count: int, most: int = 120) -> Sequence[int]:
    """At most about `most` places, the last among them, none of the first few: they say little but noise."""
    first = min(count - 1, 10)
    return sorted({round(place) for place in np.linspace(first, count - 1, most).tolist()})


def _grid(top: int, most: float) -> str:
    lines = []
    for step in range(6):
        x, y = _LEFT + _WIDTH * step / 5, top + _HEIGHT * (1 - step / 5)
        lines.append(f'<path d="M{x:.0f} {top}V{top + _HEIGHT}M{_LEFT} {y:.0f}H{_LEFT + _WIDTH}"/>')
        lines.append(_label(x, top + _HEIGHT + 14, "middle", f"{20 * step}%"))
        lines.append(_label(_LEFT - 5, y + 4, "end", f"{20 * step * most:.0f}%"))
    lines.append(_label(_LEFT + _WIDTH / 2, top + _HEIGHT + 32, "middle", "answered, the surest first"))
    lines.append(_label(_LEFT + _WIDTH - 4, top + 14, "end", "wrong among the answered"))
    return "".join(lines)


def _label(x: float, y: float, anchor: str, words: str) -> str:
    return f'<text stroke="none" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{words}</text>'
