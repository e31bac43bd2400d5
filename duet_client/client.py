"""The synchronous client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

import httpx
from pydantic import BaseModel

from duet_client import calls, importing
from duet_client.answers import (
    Candidates,
    ClassDetail,
    Classification,
    ClassPage,
    ClassSummary,
    DeletedClass,
    Explanation,
    Schema,
    StoredClass,
)
from duet_client.calls import Call, Photo
from duet_client.connection import DEFAULT_SPACE, PAGE, TIMEOUT, options
from duet_client.errors import DuetError, NotFound
from duet_client.exchange import Outcome, Received, Wait, broken, exchange
from duet_client.paging import Pager
from duet_client.retries import Retries
from duet_client.rows import NewClass, Row, RowReport

Reply = TypeVar("Reply", bound=BaseModel)


class DuetClient:
    """Talks to one service. Use it in a `with`, or call `close`; threads may share it.

    Every method raises ServiceError (with the service's problem), Unreachable or UnexpectedAnswer.

    Args:
        server: address of the service, such as ``http://localhost:8000``.
        key: API key, where the service asks for one.
        retries: how often, and how long, to try again.
        timeout: seconds to wait for a connection and between two parts of an answer.
    """

    def __init__(
        self, server: str, *, key: str | None = None, retries: Retries | None = None, timeout: float = TIMEOUT
    ) -> None:
        self.server = server
        self._retries = retries or Retries()
        self._http = httpx.Client(**options(server, key, timeout))

    def classify(
        self, photo: Photo, *, top_k: int = 5, candidates: Candidates = "all", space: str = DEFAULT_SPACE
    ) -> Classification:
        """The best classes of a photo, given as bytes or as a path."""
        return self._ask(calls.classify(photo, top_k, candidates, space))

    def explain(
        self, shown: Photo | str, *, class_id: str | None = None, limit: int | None = None, space: str = DEFAULT_SPACE
    ) -> Explanation:
        """Why a photo fits a class; `shown` is the `image_id` of an answer, or a photo."""
        return self._ask(calls.explain(shown, class_id, limit, space))

    def attributes(self) -> Schema:
        """The attributes that classes are described with."""
        return self._ask(calls.attributes())

    def add_class(self, new: NewClass, *, space: str = DEFAULT_SPACE) -> StoredClass:
        """Register a class."""
        return self._ask(calls.add_class(new, space))

    def get_class(self, class_id: str, *, space: str = DEFAULT_SPACE) -> ClassDetail:
        """One class with all its attributes."""
        return self._ask(calls.get_class(class_id, space))

    def delete_class(self, class_id: str, *, space: str = DEFAULT_SPACE) -> DeletedClass:
        """Delete a registered class."""
        return self._ask(calls.delete_class(class_id, space))

    def class_page(
        self, *, seen: bool | None = None, limit: int = PAGE, offset: int = 0, space: str = DEFAULT_SPACE
    ) -> ClassPage:
        """One page of classes, seen ones first."""
        return self._ask(calls.list_classes(seen, limit, offset, space))

    def classes(
        self, *, seen: bool | None = None, page: int = PAGE, space: str = DEFAULT_SPACE, one_revision: bool = False
    ) -> Iterator[ClassSummary]:
        """All classes, fetched `page` at a time as they are needed; see Pager for `one_revision`."""
        pager = Pager(one_revision=one_revision)
        while pager.more:
            yield from pager.take(self.class_page(seen=seen, limit=page, offset=pager.offset, space=space))

    def import_classes(self, rows: Iterable[NewClass | Row], *, space: str = DEFAULT_SPACE) -> Iterator[RowReport]:
        """Register classes one after the other; a report for each row as it is done.

        A row that is wrong does not keep the next from being stored. Raises Unreachable, UnexpectedAnswer and
        NotAuthorized, after which no row would fare better; rows reported till then are stored.
        """
        for row in importing.numbered(rows):
            if row.new is None:
                yield importing.unreadable(row)
                continue
            try:
                report = importing.stored(row, self.add_class(row.new, space=space))
            except DuetError as error:
                report = importing.not_stored(row, error)
            yield report

    def export_classes(self, *, space: str = DEFAULT_SPACE) -> Iterator[NewClass]:
        """All registered classes as `import_classes` takes them; one that is deleted meanwhile is left out."""
        for summary in self.classes(seen=False, space=space):
            try:
                detail = self.get_class(summary.id, space=space)
            except NotFound:
                continue
            yield importing.as_new(detail)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, call: Call[Reply]) -> Reply:
        steps = exchange(call, self._retries, self.server)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Wait):
                    time.sleep(step.seconds)
                    step = steps.send(None)
                else:
                    step = steps.send(self._send(call))
        except StopIteration as done:
            reply: Reply = done.value
            return reply

    def _send(self, call: Call[Reply]) -> Outcome:
        try:
            answer = self._http.request(**call.arguments())
        except httpx.TransportError as error:
            return broken(error)
        return Received(answer.status_code, answer.headers, answer.content)
