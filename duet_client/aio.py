"""The asynchronous client: `DuetClient` with `await`, method by method."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
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


class AsyncDuetClient:
    """Talks to one service. Use it in an `async with`, or await `close`; tasks may share it.

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
        self._http = httpx.AsyncClient(**options(server, key, timeout))

    async def classify(
        self, photo: Photo, *, top_k: int = 5, candidates: Candidates = "all", space: str = DEFAULT_SPACE
    ) -> Classification:
        """The best classes of a photo, given as bytes or as a path."""
        return await self._ask(calls.classify(photo, top_k, candidates, space))

    async def explain(
        self, shown: Photo | str, *, class_id: str | None = None, limit: int | None = None, space: str = DEFAULT_SPACE
    ) -> Explanation:
        """Why a photo fits a class; `shown` is the `image_id` of an answer, or a photo."""
        return await self._ask(calls.explain(shown, class_id, limit, space))

    async def attributes(self) -> Schema:
        """The attributes that classes are described with."""
        return await self._ask(calls.attributes())

    async def add_class(self, new: NewClass, *, space: str = DEFAULT_SPACE) -> StoredClass:
        """Register a class."""
        return await self._ask(calls.add_class(new, space))

    async def get_class(self, class_id: str, *, space: str = DEFAULT_SPACE) -> ClassDetail:
        """One class with all its attributes."""
        return await self._ask(calls.get_class(class_id, space))

    async def delete_class(self, class_id: str, *, space: str = DEFAULT_SPACE) -> DeletedClass:
        """Delete a registered class."""
        return await self._ask(calls.delete_class(class_id, space))

    async def class_page(
        self, *, seen: bool | None = None, limit: int = PAGE, offset: int = 0, space: str = DEFAULT_SPACE
    ) -> ClassPage:
        """One page of classes, seen ones first."""
        return await self._ask(calls.list_classes(seen, limit, offset, space))

    async def classes(
        self, *, seen: bool | None = None, page: int = PAGE, space: str = DEFAULT_SPACE, one_revision: bool = False
    ) -> AsyncIterator[ClassSummary]:
        """All classes, fetched `page` at a time as they are needed; see Pager for `one_revision`."""
        pager = Pager(one_revision=one_revision)
        while pager.more:
            answer = await self.class_page(seen=seen, limit=page, offset=pager.offset, space=space)
            for summary in pager.take(answer):
                yield summary

    async def import_classes(
        self, rows: Iterable[NewClass | Row], *, space: str = DEFAULT_SPACE
    ) -> AsyncIterator[RowReport]:
        """Register classes one after the other; a report for each row as it is done.

        A row that is wrong does not keep the next from being stored. Raises Unreachable, UnexpectedAnswer and
        NotAuthorized, after which no row would fare better; rows reported till then are stored.
        """
        for row in importing.numbered(rows):
            if row.new is None:
                yield importing.unreadable(row)
                continue
            try:
                report = importing.stored(row, await self.add_class(row.new, space=space))
            except DuetError as error:
                report = importing.not_stored(row, error)
            yield report

    async def export_classes(self, *, space: str = DEFAULT_SPACE) -> AsyncIterator[NewClass]:
        """All registered classes as `import_classes` takes them; one that is deleted meanwhile is left out."""
        async for summary in self.classes(seen=False, space=space):
            try:
                detail = await self.get_class(summary.id, space=space)
            except NotFound:
                continue
            yield importing.as_new(detail)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, call: Call[Reply]) -> Reply:
        steps = exchange(call, self._retries, self.server)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Wait):
                    await asyncio.sleep(step.seconds)
                    step = steps.send(None)
                else:
                    step = steps.send(await self._send(call))
        except StopIteration as done:
            reply: Reply = done.value
            return reply

    async def _send(self, call: Call[Reply]) -> Outcome:
        try:
            answer = await self._http.request(**call.arguments())
        except httpx.TransportError as error:
            return broken(error)
        return Received(answer.status_code, answer.headers, answer.content)
