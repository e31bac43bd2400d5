"""Both clients against servers that fail: what is asked again, when, and what is raised in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from duet_client import (
    AsyncDuetClient,
    Busy,
    Conflict,
    DuetClient,
    NewClass,
    NotAuthorized,
    Retries,
    RevisionChanged,
    ServiceError,
    UnexpectedAnswer,
    Unreachable,
)
from tests.duet_client.faulty_server import Asked, FaultyServer, Reply
from tests.redis_process import free_port

FAST = Retries(attempts=3, first=0.01, longest=0.02)
SCHEMA = {"model_id": "tiny", "count": 0, "prompt_sets": []}
BUSY = {"type": "/problems/overloaded", "title": "Overloaded", "status": 503, "detail": "full", "advice": "Later."}
TAKEN = {"type": "/problems/class-exists", "title": "Class exists", "status": 409, "detail": "taken", "got": "dodo"}
STORED = {"id": "dodo", "label": "Dodo", "seen": False, "kind": "prompt", "version": 1, "revision": 1} | {
    "near_duplicates": [],
    "interpretation": {"attributes": [], "words_not_used": [], "prompt_sets_assumed": []},
}
DODO = NewClass(id="dodo", label="Dodo", prompt="a large grey bird")

Do = Callable[[Any], Any]
Run = Callable[..., Any]


def with_sync(url: str, do: Do, **options: Any) -> Any:
    with DuetClient(url, retries=FAST, **options) as duet:
        return do(duet)


def with_async(url: str, do: Do, **options: Any) -> Any:
    async def run() -> Any:
        async with AsyncDuetClient(url, retries=FAST, **options) as duet:
            result: Awaitable[Any] = do(duet)
            return await result

    return asyncio.run(run())


@pytest.fixture(params=[with_sync, with_async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs one method on a client of each kind."""
    chosen: Run = request.param
    return chosen


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again_when_it_says_so(run: Run, status: int) -> None:
    with FaultyServer(Reply(status, BUSY, {"Retry-After": "1"}), Reply(200, SCHEMA)) as server:
        assert run(server.url, lambda duet: duet.attributes()).model_id == "tiny"
        first, second = server.asked
        assert second.at - first.at >= 1


def test_a_service_that_stays_busy_is_left_alone_in_the_end(run: Run) -> None:
    with FaultyServer(Reply(503, BUSY)) as server:
        with pytest.raises(Busy, match="Overloaded \\(503\\): full Later") as caught:
            run(server.url, lambda duet: duet.attributes())
        assert len(server.asked) == caught.value.attempts == FAST.attempts
        assert caught.value.problem.slug == "overloaded"


def test_a_wait_beyond_patience_ends_at_once(run: Run) -> None:
    with FaultyServer(Reply(503, BUSY, {"Retry-After": "3600"})) as server:
        with pytest.raises(Busy) as caught:
            run(server.url, lambda duet: duet.attributes())
        assert (len(server.asked), caught.value.retry_after) == (1, 3600)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, NotAuthorized), (403, NotAuthorized), (409, Conflict), (500, ServiceError)]
)
def test_other_errors_are_raised_at_once(run: Run, status: int, kind: type[ServiceError]) -> None:
    with FaultyServer(Reply(status, TAKEN | {"status": status, "nearest": ["dodo-2"]})) as server:
        with pytest.raises(kind) as caught:
            run(server.url, lambda duet: duet.add_class(DODO))
        assert len(server.asked) == 1
        assert (caught.value.problem.status, caught.value.problem.got) == (status, "dodo")
        assert caught.value.problem.model_extra == {"nearest": ["dodo-2"]}


def test_a_proxys_page_is_shown_as_it_is(run: Run) -> None:
    with (
        FaultyServer(Reply(502, b"<h1>Bad gateway</h1>")) as server,
        pytest.raises(ServiceError, match=r"502.*Bad gateway"),
    ):
        run(server.url, lambda duet: duet.attributes())


def test_a_read_whose_connection_broke_is_repeated(run: Run) -> None:
    with FaultyServer(Reply(hang_up=True), Reply(200, SCHEMA)) as server:
        assert run(server.url, lambda duet: duet.attributes()).count == 0
        assert len(server.asked) == 2


def test_a_write_whose_connection_broke_is_not_repeated(run: Run) -> None:
    with FaultyServer(Reply(hang_up=True), Reply(201, STORED)) as server:
        with pytest.raises(Unreachable, match=r"asked once: .*; it may have been done all the same"):
            run(server.url, lambda duet: duet.add_class(DODO))
        assert len(server.asked) == 1


def test_a_write_refused_with_503_is_repeated_and_says_how_often(run: Run) -> None:
    with FaultyServer(Reply(503, BUSY), Reply(409, TAKEN)) as server:
        with pytest.raises(Conflict) as caught:
            run(server.url, lambda duet: duet.add_class(DODO))
        assert caught.value.attempts == 2  # so the class may be there because of the first attempt


def test_nobody_listens(run: Run) -> None:
    with pytest.raises(Unreachable, match="asked 3 times") as caught:
        run(f"http://127.0.0.1:{free_port()}", lambda duet: duet.add_class(DODO))
    assert "may have been done" not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>", b"[]", {"count": "many"}])
def test_an_answer_of_another_program(run: Run, body: Any) -> None:
    with (
        FaultyServer(Reply(200, body)) as server,
        pytest.raises(UnexpectedAnswer, match="GET /attributes was not answered by a DUET service"),
    ):
        run(server.url, lambda duet: duet.attributes())


def test_the_key_is_sent(run: Run) -> None:
    with FaultyServer(Reply(200, SCHEMA)) as server:
        run(server.url, lambda duet: duet.attributes(), key="duet_x")
        assert server.asked[0].headers["authorization"] == "Bearer duet_x"


@pytest.mark.parametrize("wrong", [{"server": "localhost:8000"}, {"server": "http://x", "key": "a\nb"}])
@pytest.mark.parametrize("kind", [DuetClient, AsyncDuetClient])
def test_addresses_and_keys_that_cannot_be(kind: type[Any], wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"an address is such as|characters no key has"):
        kind(**wrong)


def pages(revisions: list[int], size: int = 2) -> Callable[[Asked], Reply]:
    """GET /classes of a space that holds a, b, c, d, e and is at another revision for each page."""
    names = "abcde"

    def answer(asked: Asked) -> Reply:
        offset = int(asked.path.partition("offset=")[2].partition("&")[0])
        found = [{"id": name, "label": name, "seen": False, "kind": "vector"} for name in names[offset : offset + size]]
        return Reply(200, {"classes": found, "total": len(names), "revision": revisions.pop(0)})

    return answer


async def listed(classes: Any) -> list[str]:
    return [found.id async for found in classes]


def test_every_page_is_read_once() -> None:
    with FaultyServer(pages([1, 1, 1])) as server:
        assert [c.id for c in with_sync(server.url, lambda duet: list(duet.classes(page=2)))] == list("abcde")
        assert [asked.path.partition("limit=")[2][:1] for asked in server.asked] == ["2", "2", "2"]
    with FaultyServer(pages([1, 1, 1])) as server:
        assert with_async(server.url, lambda duet: listed(duet.classes(page=2))) == list("abcde")


def test_pages_of_two_revisions_are_told_when_asked_for() -> None:
    with FaultyServer(pages([1, 1, 2])) as server, pytest.raises(RevisionChanged, match="from revision 1 to 2"):
        with_sync(server.url, lambda duet: list(duet.classes(page=2, one_revision=True)))
    with FaultyServer(pages([1, 2, 3])) as server:
        assert len(with_sync(server.url, lambda duet: list(duet.classes(page=2)))) == 5
