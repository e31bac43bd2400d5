"""Short names for what the tests of the class stores do again and again."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np

from app.registry.reading import read_all
from app.registry.store import ABSENT, Act, ClassRecord, ClassStore, Drop, Put

OpenStore = Callable[..., ClassStore]
ACT = Act("test", actor="ada", at="2026-01-02T03:04:05+00:00")


def make(class_id: str = "painted-bunting", **changes: Any) -> ClassRecord:
    """A record as a client's description becomes one."""
    degrees = np.array([0.25, 0.0, 1.0], dtype="<f4").tobytes()
    record = ClassRecord(
        id=class_id, label="Bünting", kind="prompt", degrees=degrees, schema="abc", detail_json='{"n": [1]}'
    )
    return dataclasses.replace(record, **changes)


async def put(store: ClassStore, space: str, *names: str, expect: int | None = ABSENT, **changes: Any) -> int:
    """Store classes in one write; returns the revision."""
    return (await store.write(space, [Put(make(name, **changes), expect) for name in names], ACT)).revision


async def drop(store: ClassStore, space: str, *names: str) -> int:
    """Delete classes in one write; returns the revision."""
    return (await store.write(space, [Drop(name) for name in names], ACT)).revision


async def contents(store: ClassStore, space: str) -> tuple[int, dict[str, int]]:
    """The revision of a space, and that of each of its classes."""
    head, records = await read_all(store, space)
    return head.revision, {record.id: record.revision for record in records}


def run(open_store: OpenStore, work: Callable[[ClassStore], Awaitable[None]], **limits: Any) -> None:
    """Do the work with one store."""

    async def main() -> None:
        store = open_store(**limits)
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(main())
