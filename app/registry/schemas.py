"""What the attributes are that stored classes belong to: told to the store by each bundle, asked of it about others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from app.registry.snapshot import SeenClasses
from app.registry.store import ClassRecord, ClassStore, StoreError


class SharedSchemas:
    """A record names its schema by a fingerprint; the names of the attributes lie in the store once."""

    def __init__(self, store: ClassStore, seen: SeenClasses) -> None:
        self._store = store
        self._carrier = seen.carrier
        self._own = seen.schema
        self._told = False

    async def tell(self) -> None:
        """Tell the store, once, what the attributes of classes written here are. While it is away: the next time."""
        if self._carrier is not None and not self._told:
            with contextlib.suppress(StoreError):
                await self._store.remember_schema(self._own, self._carrier.schema_json)
                self._told = True

    async def learn(self, records: Iterable[ClassRecord]) -> None:
        """Ask for the attributes of classes that were described for others. Raises StoreUnavailable, StoreRefused."""
        if self._carrier is None:
            return
        for fingerprint in self._carrier.unknown(records, self._own):
            told = await self._store.schema_json(fingerprint)
            if told is not None:
                self._carrier.learn(fingerprint, told)
