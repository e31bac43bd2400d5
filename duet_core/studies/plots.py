"""The picture of a study: rows as dots with their spread, or lines over the values of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from duet_core.figures.style import (
    BLUE,
    CYCLE,
    GREY,
    MARKERS,
    QUIET,
    WIDTH,
    Picture,
    drawing,
    finish,
    plain_list,
    title,
)
from duet_core.spread import mean_and_deviation, spread
from duet_core.studies.record_store import RecordStore
from duet_core.studies.results import RowResults, row_results
from duet_core.studies.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES = ("H", "U", "S")
_WIDE = 20.0
"""From this ratio of the largest to the smallest value above 0, the x axis of a sweep is logarithmic."""


def draw(study: Study, store: RecordStore, file: Path) -> bool:
    """Write the picture of what is finished of a study as SVG; False, and no file, when nothing is.

    Equal records make equal files.
    """
    results = [one for one in row_results(study, store) if one.records]
    if not results:
        return False
    picture = _sweep(results, study, study.sweep) if study.sweep is not None else _dots(results, study)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(picture.svg, encoding="utf-8")
    return True


def _dots(results: Sequence[RowResults], study: Study) -> Picture:
    """One dot a row with ± one standard deviation; each seed is a tick, what rows are compared with a line."""
    with drawing(1.7 * WIDTH, 1.1 + 0.3 * len(results)) as (figure, axes):
        for place, one in enumerate(results):
            values = one.values(study.metric)
            mean, deviation = spread(values)
            compared = one.row.name in study.compare_with
            axes.errorbar(mean, place, xerr=deviation, fmt="o", capsize=3, color=BLUE if compared else GREY)
            axes.plot(values, [place] * len(values), "|", color=QUIET, markersize=9)
            if compared:
                axes.axvline(mean, color=BLUE, linewidth=0.8, linestyle=":")
        axes.set_yticks(range(len(results)), [one.row.label for one in results])
        axes.set_xlabel(f"{study.metric} in percent")
        plain_list(axes)
        title(figure, study.title)
        return finish(figure, name=study.name, alt=_told(results, study))


def _sweep(results: Sequence[RowResults], study: Study, name: str) -> Picture:
    """H, U and S over the values of the field `name`; rows that do not set it are level lines of H."""
    points = sorted(
        (float(one.row.changes[name]), place) for place, one in enumerate(results) if name in one.row.changes
    )
    swept = [results[place] for _, place in points]
    with drawing(1.7 * WIDTH, 3.8) as (figure, axes):
        for metric, colour, marker in zip(_LINES, CYCLE, MARKERS, strict=False):
            if swept:
                means, deviations = zip(*(spread(one.values(metric)) for one in swept), strict=True)
                values = [value for value, _ in points]
                axes.errorbar(values, means, yerr=deviations, marker=marker, capsize=3, label=metric, color=colour)
        level = [one for one in results if name not in one.row.changes]
        for one, style in zip(level, ("--", ":", "-."), strict=False):
            axes.axhline(spread(one.values("H"))[0], color=GREY, linestyle=style, label=f"H, {one.row.label}")
        _value_axis(axes, [value for value, _ in points])
        axes.set(xlabel=name, ylabel="percent")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        title(figure, study.title)
        return finish(figure, name=study.name, alt=_told(results, study))


def _value_axis(axes: Axes, values: Sequence[float]) -> None:
    """A tick at each value; evenly spread ratios where the largest is many times the smallest."""
    positive = [value for value in values if value > 0]
    if positive and max(positive) > _WIDE * min(positive):
        axes.set_xscale("symlog", linthresh=min(positive), linscale=0.4)
        axes.set_xlim(min(values) - 0.3 * min(positive), 1.3 * max(values))
    axes.set_xticks(values, [f"{value:g}" for value in values], minor=False)
    axes.set_xticks([], minor=True)


def _told(results: Sequence[RowResults], study: Study) -> str:
    """The picture in words."""
    rows = (f"{one.row.label} {mean_and_deviation(one.values(study.metric))}" for one in results)
    return f"{study.title}. {study.metric} in percent: {'; '.join(rows)}."
