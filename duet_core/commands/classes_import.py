"""`duet classes import`: the classes of a file for a running service."""

from __future__ import annotations

import json as json_format
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from duet_core.commands.remote import connect

if TYPE_CHECKING:
    from duet_client import RowReport


def run(
    file: Path,
    *,
    server: str | None = None,
    key: str | None = None,
    space: str = "default",
    skip_existing: bool = False,
    json: bool = False,
) -> Iterator[str]:
    """Describe the classes of a file to a running service, row by row, and report what became of each row.

    JSON lines: {"id": …, "label": …, "prompt": …} or "attributes" in place of "prompt". CSV: the columns id, label,
    prompt and attributes. A row that is wrong is reported and the next one is read; the exit code is then 2.

    Args:
        file: a .jsonl or .csv file, as `duet classes export` writes them.
        server: address of the service; default DUET_SERVER, else http://localhost:8000.
        key: API key, where the service asks for one; better kept in DUET_KEY than typed.
        space: the class space.
        skip_existing: take a class that exists already for a success; it stays as it is.
        json: print one JSON object a row instead of text.
    """
    from duet_client import read_rows

    count: Counter[str] = Counter()
    with connect(server, key) as duet:
        for report in duet.import_classes(read_rows(file), space=space):
            count[report.outcome] += 1
            yield _as_json(report) if json else _as_text(report)
    summary = ", ".join(f"{number} {outcome}" for outcome, number in count.items()) or "no rows"
    bad = sum(count.values()) - count["stored"] - (count["exists"] if skip_existing else 0)
    if bad:
        raise ValueError(f"{bad} of {sum(count.values())} rows were not stored ({summary}); they are reported above")
    if not json:
        yield summary


def _as_text(report: RowReport) -> str:
    from duet_client import ServiceError

    if isinstance(report.error, ServiceError):
        why = f": {report.error.problem.detail}"
    else:
        why = f": {report.error}" if report.error else ""
    return f"line {report.line}: {report.outcome:<8} {report.id or ''}{why}"


def _as_json(report: RowReport) -> str:
    from duet_client import ServiceError

    row: dict[str, object] = {"line": report.line, "id": report.id, "outcome": report.outcome}
    if isinstance(report.error, ServiceError):
        row["problem"] = report.error.problem.model_dump(mode="json", exclude_none=True)
    elif report.error:
        row["mistake"] = str(report.error)
    if report.stored:
        row["revision"] = report.stored.revision
    return json_format.dumps(row, ensure_ascii=False)
