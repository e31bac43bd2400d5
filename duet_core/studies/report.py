"""The table of a study as Markdown. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from duet_core.judging.tables import table
from duet_core.record import METRICS
from duet_core.spread import mean_and_deviation, spread
from duet_core.studies.record_store import RecordStore
from duet_core.studies.results import Comparison, RowResults, compare, row_results
from duet_core.studies.study import Study, StudyError

_NONE = "–"


def markdown(study: Study, store: RecordStore, *, metric: str | None = None) -> str:
    """The table of a study, its rows in order, and below it what the columns mean.

    Rows are compared by `metric`, the study's own where it is None. The paper's figures are of the study's metric, and
    left out beside another.

    Raises StudyError for a metric there is not.
    """
    if metric is not None and metric != study.metric:
        if metric not in METRICS:
            raise StudyError(f"no metric {metric!r}; there are {', '.join(METRICS)}")
        rows_without_paper = tuple(replace(row, paper=None) for row in study.rows)
        study = replace(study, metric=metric, rows=rows_without_paper, source="")
    results = row_results(study, store)
    comparisons = {base: compare(study, results, base) for base in study.compare_with}
    has_paper = any(row.paper is not None for row in study.rows)
    rows = [_row(one, study, comparisons, has_paper=has_paper) for one in results]
    return "\n".join([table(_head(study, has_paper=has_paper), rows), "", *_notes(study, results)])


def _head(study: Study, *, has_paper: bool) -> list[str]:
    head = ["row", "seeds", *METRICS]
    for base in study.compare_with:
        head += [f"{study.metric} − {base}", "p (Holm)"]
    if has_paper:
        head += [f"paper {study.metric}", *(f"paper {study.metric} − {base}" for base in study.compare_with)]
    return [*head, "minutes"]


def _row(one: RowResults, study: Study, comparisons: dict[str, dict[str, Comparison]], *, has_paper: bool) -> list[str]:
    count, wanted = len(one.records), len(study.seeds)
    label = one.row.label if one.row.label == one.row.name else f"{one.row.label} (`{one.row.name}`)"
    cells = [label, str(count) if count == wanted else f"**{count} of {wanted}**"]
    cells += [mean_and_deviation(one.values(metric)) if count else _NONE for metric in METRICS]
    own = [comparisons[base].get(one.row.name) for base in study.compare_with]
    for comparison in own:
        cells += [_points(comparison), _p(comparison)]
    if has_paper:
        cells.append(_NONE if one.row.paper is None else f"{one.row.paper:.1f}")
        cells += [_NONE if c is None or c.paper is None else _signed(c.paper) for c in own]
    return [*cells, f"{spread(one.minutes)[0]:.1f}" if one.records else _NONE]


def _points(comparison: Comparison | None) -> str:
    if comparison is None or comparison.difference is None:
        return _NONE
    difference = comparison.difference
    deviation = "" if difference.deviation is None else f" ± {difference.deviation:.1f}"
    return f"{_signed(difference.mean)}{deviation}"


def _p(comparison: Comparison | None) -> str:
    p = comparison.difference.p if comparison is not None and comparison.difference is not None else None
    if comparison is None or p is None or comparison.corrected is None:
        return _NONE
    return f"{_probability(p)} ({_probability(comparison.corrected)})"


def _probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")


def _notes(study: Study, results: Sequence[RowResults]) -> list[str]:
    seeds = ", ".join(map(str, study.seeds))
    told = [f"Percent, test split, mean ± standard deviation over the seeds {seeds}; γ from validation classes."]
    if study.compare_with:
        told.append(
            f"{study.metric} − row: mean ± standard deviation of the differences in points, seed by seed. p: two-sided "
            "paired t-test over the seeds; in brackets with Holm's correction over the rows of the column."
        )
    if study.source:
        told.append(f"Paper: {study.source}.")
    if any(len(one.records) < len(study.seeds) for one in results):
        told.append("**Bold**: seeds are missing.")
    return told
