"""Reading a class space page by page while others write to it, and ending at exactly one revision."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.registry.store import ClassRecord, ClassStore, Head, StoreUnavailable

PAGE = 2_000
"""Records in one answer of the store."""
BATCH = 16_384
"""Records given on at once."""
TRIES = 5

Take = Callable[[list[ClassRecord]], Awaitable[None]]


async def read_since(
    store: ClassStore, space: str, since: Head | None, take: Take, heard: Callable[[Head], None] = lambda _: None
) -> Head | None:
    """Hand over every record written after `since` (all there are, for None); returns the head reached.

    Of several records of one class the last one counts; a tombstone says that it is gone. Pages come in the order of
    (revision, id), so whatever is written meanwhile lies ahead, and the page that ends it is of one moment.
    `heard` is told the head of the store with every page, long before all of it is here.
    Returns None when the space cannot be followed from there: forget what was handed over and read everything.
    """
    after = (since.revision if since else 0, "~")  # "~" sorts after every id
    start, waiting = since, list[ClassRecord]()
    while True:
        page = await store.page(space, after, PAGE)
        heard(page.head)
        start = start or page.head
        if page.head.epoch != start.epoch or page.head.revision < start.revision or page.floor > start.revision:
            return None
        if since and since.revision == after[0] and page.token not in ("", since.token):
            return None
        waiting += page.records
        ended = len(page.records) < PAGE
        if ended or len(waiting) >= BATCH:
            await take(waiting)
            waiting = []
        if ended:
            return page.head
        after = (page.records[-1].revision, page.records[-1].id)


async def read_all(store: ClassStore, space: str) -> tuple[Head, list[ClassRecord]]:
    """The classes of a space at one revision, with their degrees, in the order they were stored.

    Raises StoreUnavailable when the space is deleted again and again meanwhile.
    """
    for _ in range(TRIES):
        found: dict[str, ClassRecord] = {}

        async def take(records: list[ClassRecord], found: dict[str, ClassRecord] = found) -> None:
            for record in records:
                found.pop(record.id, None)
                if not record.deleted:
                    found[record.id] = record

        head = await read_since(store, space, None, take)
        if head is not None:
            return head, list(found.values())
    raise StoreUnavailable(f"space {space!r} was made anew {TRIES} times while it was read")
