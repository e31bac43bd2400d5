"""The seen–unseen curves of one model or several, with the γ that validation chose and the best H told apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np

from duet_core.figures.style import CYCLE, GRID, INK, QUIET, WIDTH, Picture, drawing, finish, percent_axis, title
from duet_core.judging.held_out import HeldOut


def curve_numbers(held_out: HeldOut) -> dict[str, Any]:
    """AUSUC, the point of the bundle's γ, and the point of the highest H on these photos, which chose nothing."""
    metrics, curve = held_out.metrics, held_out.curve
    best = int(curve.H.argmax())
    gamma = float(curve.gammas[best])
    return {
        "model": held_out.model_id,
        **metrics.to_json(),
        "best_H": {
            "gamma": gamma if np.isfinite(gamma) else None,  # JSON has no infinity
            "U": float(curve.U[best]),
            "S": float(curve.S[best]),
            "H": float(curve.H[best]),
        },
        "curve": {"U": _thinned(curve.U), "S": _thinned(curve.S)},
    }


def curve_picture(models: Sequence[HeldOut], *, name: str = "seen-unseen-curve") -> Picture:
    """S over U for every γ, one line a model."""
    with drawing(WIDTH, 4.4) as (figure, axes):
        for level in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):  # where H is the same
            u = np.linspace(level / 2 + 1e-3, 1, 200)
            s = level * u / (2 * u - level)
            axes.plot(u[s <= 1], s[s <= 1], color=GRID, linewidth=0.8, zorder=1)
            axes.text(
                1.0,
                level / (2 - level) + 0.008,
                f"H {100 * level:.0f}",
                fontsize=7,
                color=QUIET,
                ha="right",
                va="bottom",
            )
        told = []
        for held_out, colour in zip(models, cycle(CYCLE), strict=False):
            numbers, curve = curve_numbers(held_out), held_out.curve
            best = numbers["best_H"]
            axes.plot(curve.U, curve.S, color=colour, label=f"{held_out.model_id}, AUSUC {100 * curve.area:.1f}")
            axes.plot(numbers["U"], numbers["S"], "o", color=colour, markersize=7, markeredgecolor=INK, zorder=4)
            axes.plot(best["U"], best["S"], "D", color="none", markersize=12, markeredgecolor=colour, zorder=3,
                      markeredgewidth=1.6)  # fmt: skip
            told.append(
                f"{held_out.model_id}: AUSUC {100 * curve.area:.1f}, U {100 * numbers['U']:.1f} and S "
                f"{100 * numbers['S']:.1f} at its γ (H {100 * numbers['H']:.1f}), highest H {100 * best['H']:.1f}"
            )
        axes.plot([], [], "o", color=QUIET, markeredgecolor=INK, markersize=7, label="γ chosen on validation classes")
        axes.plot([], [], "D", color="none", markeredgecolor=QUIET, markersize=7, label="highest H on these photos")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="U: unseen classes, all compete", ylabel="S: seen classes")
        axes.grid(visible=False)
        axes.set_yticks([0.2, 0.4, 0.6, 0.8, 1.0])  # 0 stands at the other axis
        percent_axis(axes, "x")
        percent_axis(axes, "y")
        title(figure, "Seen and unseen accuracy for every γ")
        axes.legend(loc="upper center", bbox_to_anchor=(0.46, -0.14))
        return finish(figure, name=name, alt=f"Curves of seen over unseen accuracy. {'; '.join(told)}.")


def _thinned(values: np.ndarray[Any, np.dtype[np.float64]], most: int = 200) -> list[float]:
    places = np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))
    return [round(float(value), 5) for value in values[places]]
