"""Plots of a study as SVG: rows as dots with error bars, or lines over the values of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from duet_core.spread import spread
from duet_core.studies.record_store import RecordStore
from duet_core.studies.results import RowResults, row_results
from duet_core.studies.study import Study

if TYPE_CHECKING:  # matplotlib is loaded when something is drawn
    from matplotlib.axes import Axes

_LINES = ("H", "U", "S")
_WIDE = 20.0
"""From this ratio of the largest to the smallest value above 0, the x axis of a sweep is logarithmic."""


def draw(study: Study, store: RecordStore, file: Path) -> bool:
    """Draw what is finished of a study; False, and no file, when nothing is. Equal records make equal files.

    A sweep is drawn as lines of H, U and S over the field's values, a table as one dot a row; bars are ± one standard
    deviation over the seeds.
    """
    results = [one for one in row_results(study, store) if one.records]
    if not results:
        return False
    height = 3.6 if study.sweep else 1.2 + 0.32 * len(results)
    with _axes(file, height) as axes:
        axes.set_title(study.title, fontsize=10)
        if study.sweep is not None:
            _sweep(axes, results, study.sweep)
        else:
            _dots(axes, results, study)
    return True


@contextmanager
def _axes(file: Path, height: float) -> Iterator[Axes]:
    """Axes to draw into, written as SVG in the end: without a display, and without the date in it."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "duet", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(7.0, height), layout="constrained")
        FigureCanvasSVG(figure)
        yield figure.add_subplot()
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, format="svg", metadata={"Date": None})


def _dots(axes: Axes, results: Sequence[RowResults], study: Study) -> None:
    places = range(len(results))
    means, deviations = zip(*(spread(one.values(study.metric)) for one in results), strict=True)
    axes.errorbar(means, places, xerr=deviations, fmt="o", capsize=3, color="tab:blue")
    for one, place in zip(results, places, strict=True):
        values = one.values(study.metric)
        axes.plot(values, [place] * len(values), "|", color="tab:gray", markersize=9, alpha=0.7)
        if one.row.name in study.compare_with:
            axes.axvline(spread(values)[0], color="tab:blue", linewidth=0.7, linestyle=":")
    axes.set_yticks(places, [one.row.label for one in results])
    axes.invert_yaxis()
    axes.set_xlabel(f"{study.metric} (%)")
    axes.grid(axis="x", alpha=0.3)


def _sweep(axes: Axes, results: Sequence[RowResults], name: str) -> None:
    points = sorted(((float(one.row.changes[name]), one) for one in results if name in one.row.changes), key=_value)
    values = [value for value, _ in points]
    for metric, color in zip(_LINES, ("tab:blue", "tab:orange", "tab:green"), strict=True):
        if points:
            means, deviations = zip(*(spread(one.values(metric)) for _, one in points), strict=True)
            axes.errorbar(values, means, yerr=deviations, marker="o", capsize=3, label=metric, color=color)
    for one, style in zip((one for one in results if name not in one.row.changes), ("--", ":", "-."), strict=False):
        axes.axhline(spread(one.values("H"))[0], color="tab:gray", linestyle=style, label=f"H, {one.row.label}")
    positive = [value for value in values if value > 0]
    if positive and max(positive) > _WIDE * min(positive):
        axes.set_xscale("symlog", linthresh=min(positive), linscale=0.4)
        axes.set_xlim(min(values) - 0.3 * min(positive), 1.3 * max(values))
    axes.set_xticks(values, [f"{value:g}" for value in values], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlabel(name)
    axes.set_ylabel("%")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _value(point: tuple[float, RowResults]) -> float:
    return point[0]
