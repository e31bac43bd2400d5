"""What becomes of the rows of an import: one report a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from duet_client.answers import ClassDetail, StoredClass
from duet_client.errors import Busy, Conflict, DuetError, NotAuthorized, ServiceError
from duet_client.rows import NewClass, Row, RowMistake, RowReport


def numbered(classes: Iterable[NewClass | Row]) -> Iterator[Row]:
    """Rows as they are; classes without a file get their number as line."""
    for number, given in enumerate(classes, start=1):
        yield given if isinstance(given, Row) else Row(number, given)


def unreadable(row: Row) -> RowReport:
    """The report of a row that is no class."""
    return RowReport(row.line, None, "refused", error=RowMistake(row.mistake))


def stored(row: Row, answer: StoredClass) -> RowReport:
    """The report of a row that was stored."""
    return RowReport(row.line, answer.id, "stored", stored=answer)


def not_stored(row: Row, error: DuetError) -> RowReport:
    """The report of a row that was not stored. Raises `error` when the next rows would fare no better."""
    if not isinstance(error, ServiceError) or isinstance(error, NotAuthorized):
        raise error
    class_id = row.new.id if row.new else None
    if isinstance(error, Conflict):
        return RowReport(row.line, class_id, "exists", error=error)
    failed = isinstance(error, Busy) or error.problem.status >= 500
    return RowReport(row.line, class_id, "failed" if failed else "refused", error=error)


def as_new(detail: ClassDetail) -> NewClass:
    """A registered class as it would be registered again: its prompt, or the degrees of all its attributes."""
    if detail.prompt is not None:
        return NewClass(id=detail.id, label=detail.label, prompt=detail.prompt)
    degrees = {attribute.key: attribute.degree for attribute in detail.attributes}
    return NewClass(id=detail.id, label=detail.label, attributes=degrees)
