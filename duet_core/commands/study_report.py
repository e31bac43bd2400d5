"""`duet study report`: a study's table and plot, from records alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from duet_core.studies.record_store import RecordStore
from duet_core.studies.report import markdown
from duet_core.studies.study_file import load_study


def run(
    study: Path, *, records: Path = Path("training/records"), metric: str | None = None, out: Path | None = None
) -> Iterator[str]:
    """Print the table of a study: mean and deviation over the seeds, differences with their significance, the paper's.

    Args:
        study: such as training/studies/table3.yaml.
        records: folder of all records; equal recipes share them, whichever study they were trained for.
        metric: compare rows by this one, such as T1, and not by the study's own.
        out: also write the table (<study>.md) and a plot (<study>.svg) into this folder.
    """
    definition, store = load_study(study), RecordStore(records)
    table = markdown(definition, store, metric=metric)
    yield table
    if out is None:
        return
    from duet_core.studies.plots import draw  # matplotlib comes with the training packages, the table needs none

    out.mkdir(parents=True, exist_ok=True)
    page, picture = out / f"{definition.name}.md", out / f"{definition.name}.svg"
    page.write_text(f"# {definition.title}\n\n{table}\n", encoding="utf-8")
    drawn = draw(definition, store, picture)
    yield f"\nwritten: {page}{f', {picture}' if drawn else ''}"
