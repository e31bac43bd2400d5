"""The figures of a study: its records, row by row, in percent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from duet_core.record import Record
from duet_core.studies.record_store import RecordStore, RunKey
from duet_core.studies.significance import Difference, holm, paired
from duet_core.studies.study import Study, StudyRow


@dataclass(frozen=True)
class RowResults:
    """The test records of one row: seed -> record, of those seeds of the study that are finished."""

    row: StudyRow
    records: dict[int, Record]

    def values(self, metric: str, seeds: Sequence[int] | None = None) -> list[float]:
        """A metric in percent, for these seeds or for all there are."""
        return [100 * self.records[seed].metrics[metric] for seed in seeds or self.records]

    @property
    def minutes(self) -> list[float]:
        """Wall time of the training of each run."""
        return [record.seconds / 60 for record in self.records.values()]


@dataclass(frozen=True)
class Comparison:
    """A row against another over the seeds that both have.

    Attributes:
        difference: in points; None when no seed is shared.
        corrected: p after Holm's correction over all rows that are compared with the same one.
        paper: the paper's own difference in points, None where it has none.
    """

    difference: Difference | None
    corrected: float | None
    paper: float | None


def row_results(study: Study, store: RecordStore) -> list[RowResults]:
    """Every row of the study with what is finished of it, whichever study it was trained for."""
    found = []
    for row in study.rows:
        tests = {seed: store.find(RunKey.of(row.config, "test", seed)) for seed in study.seeds}
        found.append(RowResults(row, {seed: record for seed, record in tests.items() if record is not None}))
    return found


def compare(study: Study, results: Sequence[RowResults], base: str) -> dict[str, Comparison]:
    """Row name -> how it compares with the row `base`, which is left out itself."""
    reference = next(one for one in results if one.row.name == base)
    others = [one for one in results if one is not reference]
    differences = [_difference(study.metric, one, reference) for one in others]
    corrected = holm([None if one is None else one.p for one in differences])
    return {
        other.row.name: Comparison(difference, p, _paper_difference(other.row, reference.row))
        for other, difference, p in zip(others, differences, corrected, strict=True)
    }


def _difference(metric: str, row: RowResults, base: RowResults) -> Difference | None:
    shared = [seed for seed in row.records if seed in base.records]
    return paired(row.values(metric, shared), base.values(metric, shared)) if shared else None


def _paper_difference(row: StudyRow, base: StudyRow) -> float | None:
    return None if row.paper is None or base.paper is None else row.paper - base.paper
