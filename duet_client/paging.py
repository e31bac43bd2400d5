"""Reading GET /classes page by page."""

from __future__ import annotations

from collections.abc import Iterator

from duet_client.class_answers import ClassPage, ClassSummary
from duet_client.errors import RevisionChanged


class Pager:
    """Where the next page begins, and what of a page is new.

    When the class space is written to between two pages, classes may move. Then nothing comes twice, but one may be
    missed; with `one_revision` RevisionChanged is raised instead.
    """

    def __init__(self, *, one_revision: bool) -> None:
        self._one_revision = one_revision
        self._revision: int | None = None
        self._given: set[str] = set()
        self.offset = 0
        self.more = True

    def take(self, page: ClassPage) -> Iterator[ClassSummary]:
        """The classes of the next page. Raises RevisionChanged."""
        if self._one_revision and self._revision not in (None, page.revision):
            raise RevisionChanged(
                f"the class space went from revision {self._revision} to {page.revision} while it was read; read again"
            )
        self._revision = page.revision
        self.offset += len(page.classes)
        self.more = bool(page.classes) and self.offset < page.total
        for summary in page.classes:
            if summary.id not in self._given:
                self._given.add(summary.id)
                yield summary
