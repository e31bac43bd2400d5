"""Each process's view of the store: one immutable snapshot a class space, swapped when its revision moves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from app.registry.snapshot import SeenClasses, Snapshot, build_snapshot
from app.registry.store import ClassStore, StoreError, StoreUnavailable

log = logging.getLogger("duet.registry")

DEFAULT_SPACE = "default"


@dataclass
class _View:
    """What is known of a followed space; `failing` says why the store was of no use when last asked for it."""

    snapshot: Snapshot | None = None
    checked: float = field(default_factory=time.monotonic)
    failing: str | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Follower:
    """Keeps snapshots fresh by asking the store for each followed space's revision.

    Reading a snapshot that is there never waits for the store. The default space is followed from the start, others
    from their first use; beyond `max_spaces` the one unused longest is forgotten.
    """

    def __init__(self, *, store: ClassStore, seen: SeenClasses, poll_seconds: float, max_spaces: int) -> None:
        self._store = store
        self._seen = seen
        self._poll_seconds = poll_seconds
        self._max_spaces = max_spaces
        self._views: OrderedDict[str, _View] = OrderedDict({DEFAULT_SPACE: _View()})
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the default space and follow. A store that is away is waited for; one that refuses is an error.

        Raises StoreRefused.
        """
        with contextlib.suppress(StoreUnavailable):
            await self.refresh(DEFAULT_SPACE)
        self._task = asyncio.create_task(self._follow(), name="follower")

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

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

    def progress(self) -> list[tuple[str, int, float]]:
        """Each followed space with the revision served and the age of its last confirmation in seconds."""
        return [
            (space, view.snapshot.revision, self.age_seconds(space))
            for space, view in self._views.items()
            if view.snapshot is not None
        ]

    async def snapshot(self, space: str) -> Snapshot:
        """The newest snapshot known; loads a space met for the first time.

        Raises StoreUnavailable, StoreRefused only when there is no snapshot yet.
        """
        view = self._views.get(space)
        if view is not None and view.snapshot is not None:
            self._views.move_to_end(space)
            return view.snapshot
        return await self.refresh(space)

    async def refresh(self, space: str) -> Snapshot:
        """Ask the store now; what is returned is at least as new as the moment of the call.

        Raises StoreUnavailable, StoreRefused; the old snapshot then stays.
        """
        view = self._views.setdefault(space, _View())
        async with view.lock:
            asked = time.monotonic()
            try:
                snapshot = view.snapshot = await self._newest(space, view.snapshot)
            except StoreError as error:
                self._failed(space, view, str(error))
                raise
        if view.failing is not None:
            log.info("space %s: the class store is back", space)
        view.failing, view.checked = None, asked
        self._forget_unused()
        return snapshot

    async def _newest(self, space: str, old: Snapshot | None) -> Snapshot:
        if old is not None:
            if await self._store.revision(space) == old.revision:
                return old
            changes = await self._store.changes(space, old.revision)
            if changes is not None:
                records = {key: record for key, record in old.records.items() if key not in changes.deleted}
                records |= {record.id: record for record in changes.stored}
                return await asyncio.to_thread(build_snapshot, space, changes.revision, records, self._seen)
        loaded = await self._store.load(space)
        records = {record.id: record for record in loaded.records}
        return await asyncio.to_thread(build_snapshot, space, loaded.revision, records, self._seen)

    def _failed(self, space: str, view: _View, reason: str) -> None:
        if view.failing is None:
            log.warning("space %s: %s", space, reason)
        view.failing = reason
        if view.snapshot is None and space != DEFAULT_SPACE:
            self._views.pop(space, None)

    def _forget_unused(self) -> None:
        unused = [space for space in self._views if space != DEFAULT_SPACE]
        for space in unused[: max(0, len(self._views) - self._max_spaces)]:
            del self._views[space]

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self._round()
            except Exception:  # a follower that died would serve one revision for ever
                log.exception("following the class store")

    async def _round(self) -> None:
        """Refresh every followed space; when the store is away, one wait for it is enough."""
        for space in list(self._views):
            try:
                if space in self._views:
                    await self.refresh(space)
            except StoreUnavailable as error:
                for name, view in list(self._views.items()):
                    self._failed(name, view, str(error))
                return
            except StoreError:
                continue  # this space only, and logged
