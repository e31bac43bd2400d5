"""Each process's view of the store: one immutable snapshot a class space, swapped when its revision moves."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from app.observability.spans import stage
from app.registry.copies import Copies
from app.registry.reading import TRIES, read_since
from app.registry.schemas import SharedSchemas
from app.registry.snapshot import SeenClasses, Snapshot, empty_snapshot
from app.registry.store import (
    Act,
    ClassRecord,
    ClassStore,
    Drop,
    Head,
    StoreError,
    StoreUnavailable,
    WriteConflict,
    seconds_since,
)

log = logging.getLogger("duet.registry")

DEFAULT_SPACE = "default"
CANCEL_SECONDS = 0.5
RETRY_SECONDS = 0.2
"""How often a store that is away is asked again."""
PATIENCE_SECONDS = 0.2
"""How long an answer waits for a revision that its client has seen elsewhere."""
COPY_SECONDS = 2.0
"""How often snapshots are copied to disk, when they have changed."""
PAST_KEPT = 4


class RevisionNotReached(StoreError):
    """This process does not have the revision asked for in time."""

    def __init__(self, space: str, wanted: int, reached: int) -> None:
        super().__init__(f"space {space!r} is at revision {reached} here, {wanted} was asked for")
        self.wanted, self.reached = wanted, reached


class RevisionForgotten(StoreError):
    """`as_of` further back than the store remembers."""


class Progress(NamedTuple):
    """A followed space: the revision served, seconds since the store confirmed it, revisions it is behind."""

    space: str
    revision: int
    age: float
    behind: int


@dataclass
class _View:
    """What is known of a followed space; `failing` says why the store was of no use when last asked for it.

    `heard` is the newest revision the store has told of, `unserved` when the oldest write was made that is being read.
    """

    snapshot: Snapshot | None = None
    checked: float = field(default_factory=time.monotonic)
    failing: str | None = None
    copied: Head | None = None
    heard: int = 0
    unserved: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Follower:
    """Keeps snapshots fresh: told by the store's change stream, and by asking for the revision now and then.

    Reading a snapshot that is there never waits for the store. The default space is followed from the start, others
    from their first use; beyond `max_spaces` the one unused longest is forgotten.

    Args:
        poll_seconds: how often the store is asked for each revision, whatever its stream says.
        copies: where snapshots are kept over a restart, or None.
        observe_lag: told how many seconds after a write its class was served here, for each read that brought any; of
            several writes the oldest counts.
    """

    def __init__(
        self,
        *,
        store: ClassStore,
        seen: SeenClasses,
        poll_seconds: float,
        max_spaces: int,
        copies: Copies | None = None,
        observe_lag: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._seen = seen
        self._poll_seconds = poll_seconds
        self._max_spaces = max_spaces
        self._copies = copies
        self._observe_lag = observe_lag
        self._views: OrderedDict[str, _View] = OrderedDict({DEFAULT_SPACE: _View()})
        self._past: OrderedDict[tuple[str, Head], Snapshot] = OrderedDict()
        self._tasks: list[asyncio.Task[None]] = []
        self.schemas = SharedSchemas(store, seen)

    async def start(self) -> None:
        """Load the default space and follow. A store that is away is waited for; one that refuses is an error.

        Raises StoreRefused.
        """
        with contextlib.suppress(StoreUnavailable):
            await self.refresh(DEFAULT_SPACE)
        self._tasks.append(asyncio.create_task(self._follow(), name="follower"))
        if self._copies is not None:
            self._tasks.append(asyncio.create_task(self._keep_copies(), name="copies"))

    async def stop(self) -> None:
        """Stop following; what has changed since is copied to disk."""
        tasks, self._tasks = self._tasks, []  # how they end holds frames of ours, and so the bundle
        running = set(tasks)
        while running:  # once may not do: a client library swallows a cancellation that meets the end of its wait
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=CANCEL_SECONDS)
        await asyncio.gather(*tasks, return_exceptions=True)
        if tasks:
            await self._copy()

    async def begin_with(self, other: Follower) -> None:
        """Follow the spaces of another follower of this store, for another bundle, before `start`.

        Snapshots that look the same for both bundles are shared; the others are read from the store.
        """
        for space, view in other._views.items():
            shared = None if view.snapshot is None else await asyncio.to_thread(view.snapshot.under, self._seen)
            copied = view.copied if shared is not None else None
            self._views[space] = _View(snapshot=shared, checked=view.checked, failing=view.failing, copied=copied)

    @property
    def spaces(self) -> tuple[str, ...]:
        """The class spaces that are followed."""
        return tuple(self._views)

    async def catch_up(self) -> list[Snapshot]:
        """The newest snapshot of every space that is followed. Raises StoreUnavailable, StoreRefused."""
        return [await self.refresh(space) for space in self.spaces]

    @property
    def ready(self) -> bool:
        """Whether the default space has a snapshot."""
        return self._views[DEFAULT_SPACE].snapshot is not None

    def trouble(self, space: str) -> str | None:
        """Why the store was of no use when last asked for this space, or None."""
        view = self._views.get(space)
        return view.failing if view else None

    def age_seconds(self, space: str) -> float:
        """Seconds since the store last confirmed the snapshot of this space; 0 for one that is not followed."""
        view = self._views.get(space)
        return time.monotonic() - view.checked if view else 0.0

    def progress(self) -> list[Progress]:
        """Each followed space that has a snapshot."""
        return [
            Progress(
                space,
                view.snapshot.revision,
                self.age_seconds(space),
                max(0, view.heard - view.snapshot.revision),
            )
            for space, view in self._views.items()
            if view.snapshot is not None
        ]

    async def snapshot(self, space: str) -> Snapshot:
        """The newest snapshot known; loads a space met for the first time.

        Raises StoreUnavailable, StoreRefused only when there is no snapshot yet, nor a copy on disk.
        """
        view = self._views.get(space)
        if view is not None and view.snapshot is not None:
            self._views.move_to_end(space)
            return view.snapshot
        try:
            return await self.refresh(space)
        except StoreUnavailable:
            view = self._views.get(space)
            if view is None or view.snapshot is None:
                raise
            return view.snapshot

    async def at_least(self, space: str, revision: int) -> Snapshot:
        """A snapshot of `revision` or later, for a client that wrote elsewhere; waits up to PATIENCE_SECONDS.

        Raises RevisionNotReached.
        """
        snapshot = await self.snapshot(space)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while snapshot.revision < revision:
                    snapshot = await self.refresh(space)
                    if snapshot.revision < revision:
                        await asyncio.sleep(PATIENCE_SECONDS / 10)
        except (TimeoutError, StoreUnavailable):
            raise RevisionNotReached(space, revision, snapshot.revision) from None
        return snapshot

    async def as_of(self, space: str, revision: int) -> Snapshot:
        """The space as it was at `revision`.

        Raises RevisionNotReached for one of the future, RevisionForgotten, StoreUnavailable.
        """
        current = await self.snapshot(space)
        if revision > current.revision:
            current = await self.refresh(space)
        if revision > current.revision:
            raise RevisionNotReached(space, revision, current.revision)
        if revision == current.revision:
            return current
        key = (space, Head(current.head.epoch, revision))
        if key not in self._past:
            old = await self._store.past(space, revision)
            if old is None:
                raise RevisionForgotten(f"space {space!r}: revision {revision} is no longer remembered")
            self._past[key] = await asyncio.to_thread(current.as_of, revision, old)
            while len(self._past) > PAST_KEPT:
                self._past.popitem(last=False)
        return self._past[key]

    async def refresh(self, space: str) -> Snapshot:
        """Ask the store now; what is returned is at least as new as the moment of the call.

        Raises StoreUnavailable, StoreRefused; the old snapshot then stays.
        """
        view = self._views.setdefault(space, _View())
        with stage("store.read"):
            return await self._refreshed(space, view)

    async def _refreshed(self, space: str, view: _View) -> Snapshot:
        async with view.lock:
            asked = time.monotonic()
            if view.snapshot is None and self._copies is not None:
                await self._recall(space, view, self._copies)
            try:
                snapshot = view.snapshot = await self._newest(space, view)
            except StoreError as error:
                self._failed(space, view, str(error))
                if view.snapshot is None and space != DEFAULT_SPACE:
                    self._views.pop(space, None)
                raise
        if view.failing is not None:
            log.info("space %s: the class store is back", space)
        view.failing, view.checked = None, asked
        self._served(view)
        self._forget_unused()
        await self.schemas.tell()
        return snapshot

    def _served(self, view: _View) -> None:
        """Tell the lag of what was just read."""
        lag = seconds_since(view.unserved) if view.unserved else None
        view.unserved = ""
        if lag is not None:
            self._observe_lag(lag)

    async def _newest(self, space: str, view: _View) -> Snapshot:
        old = view.snapshot
        if old is not None:
            new = await self._read(space, view, old, old.head)
            if new is not None:
                return new
        for _ in range(TRIES):
            new = await self._read(space, view, empty_snapshot(space, self._seen), None)
            if new is not None:
                return new
        raise StoreUnavailable(f"space {space!r} was made anew {TRIES} times while it was read")

    async def _read(self, space: str, view: _View, snapshot: Snapshot, since: Head | None) -> Snapshot | None:
        """The snapshot with everything since then, or None when it cannot be followed from there."""
        view.unserved = ""

        def heard(head: Head) -> None:
            view.heard = head.revision

        async def take(records: list[ClassRecord]) -> None:
            nonlocal snapshot
            if records:
                if since is not None:  # else it is the first read, of writes of long ago
                    written = (view.unserved, *(record.updated_at for record in records))
                    view.unserved = min(filter(None, written), default="")
                await self.schemas.learn(records)
                snapshot = await asyncio.to_thread(snapshot.changed, records, snapshot.head)

        head = await read_since(self._store, space, since, take, heard)
        if head is None or head == snapshot.head:
            return None if head is None else snapshot
        return dataclasses.replace(snapshot, head=head)

    async def _recall(self, space: str, view: _View, copies: Copies) -> None:
        """Begin with the copy on disk; the store then only has to tell what came after it."""
        copy = await asyncio.to_thread(copies.load, space, self._seen)
        if copy is not None:
            view.snapshot, view.copied = copy.snapshot, copy.snapshot.head
            view.checked = time.monotonic() - max(0.0, time.time() - copy.confirmed_at)
            log.info("space %s: revision %d read from the copy on disk", space, copy.snapshot.revision)

    def _failed(self, space: str, view: _View, reason: str) -> None:
        if view.failing is None:
            log.warning("space %s: %s", space, reason)
        view.failing = reason

    def _forget_unused(self) -> None:
        unused = [space for space in self._views if space != DEFAULT_SPACE]
        for space in unused[: max(0, len(self._views) - self._max_spaces)]:
            del self._views[space]

    async def _follow(self) -> None:
        checked = time.monotonic()
        while True:
            try:
                failing = any(view.failing is not None or view.snapshot is None for view in self._views.values())
                if failing:
                    await asyncio.sleep(min(RETRY_SECONDS, self._poll_seconds))
                    news: Iterable[str] = list(self._views)
                else:
                    known = {name: view.snapshot.revision for name, view in self._views.items() if view.snapshot}
                    left = max(0.0, checked + self._poll_seconds - time.monotonic())
                    news = await self._store.wait(known, left)
                if time.monotonic() - checked >= self._poll_seconds:
                    news, checked = list(self._views), time.monotonic()
                await self._round(news)
            except StoreUnavailable as error:  # one wait for a store that is away is enough
                for name, view in list(self._views.items()):
                    self._failed(name, view, str(error))
            except Exception:  # a follower that died would serve one revision for ever
                log.exception("following the class store")
                await asyncio.sleep(self._poll_seconds)

    async def _round(self, spaces: Iterable[str]) -> None:
        """Refresh these spaces, and delete what has expired in them. Raises StoreUnavailable."""
        for space in spaces:
            if space not in self._views:
                continue
            try:
                await self._expire(await self.refresh(space))
            except StoreUnavailable:
                raise
            except StoreError:
                continue  # this space only, and logged

    async def _expire(self, snapshot: Snapshot) -> None:
        """Delete the classes whose time is over; of several replicas one does it."""
        over = [Drop(name, rev) for name, (at, rev) in snapshot.expiring.items() if at <= time.time()]
        if over:
            with contextlib.suppress(WriteConflict):  # another replica was faster, or the class was changed
                await self._store.write(snapshot.space, over, Act("expire", actor="time to live"))
            await self.refresh(snapshot.space)

    async def _keep_copies(self) -> None:
        while True:
            await asyncio.sleep(COPY_SECONDS)
            await self._copy()

    async def _copy(self) -> None:
        """Copy what has changed since the last copy; confirm what has not."""
        if self._copies is None:
            return
        for space, view in list(self._views.items()):
            snapshot = view.snapshot
            try:
                if snapshot is not None and snapshot.head != view.copied:
                    await asyncio.to_thread(self._copies.save, snapshot)
                    view.copied = snapshot.head
                elif view.failing is None:
                    await asyncio.to_thread(self._copies.confirm, space)
            except OSError as error:
                log.warning("space %s: no copy of it could be written to disk: %s", space, error)
