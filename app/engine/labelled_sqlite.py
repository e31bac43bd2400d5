"""Labelled photos in a SQLite file: the processes on it share them, and they survive a restart."""

from __future__ import annotations

import secrets
import sqlite3
from collections import OrderedDict

import numpy as np

from app.engine.labelled import MOST_SPACES, Labelled
from app.engine.photo_file import PhotoFile
from app.registry.sqlite_file import transaction
from app.registry.store import StoreError


class SqliteLabelledPhotos:
    """See LabelledPhotos. When the file cannot be read the copy read last is used."""

    shared = True

    def __init__(self, file: PhotoFile, *, model_id: str) -> None:
        self._file = file
        self._model_id = model_id
        self._copies: OrderedDict[str, tuple[str, Labelled]] = OrderedDict()

    async def find(self, space: str) -> Labelled | None:
        """See LabelledPhotos. A few bytes are read each time, the photos only when they are others."""
        copy = self._copies.get(space)
        try:
            newest = await self._file.run(lambda db: _newest(db, (self._model_id, space), copy))
        except StoreError:
            return None if copy is None else copy[1]
        if newest is None:
            self._copies.pop(space, None)
            return None
        self._copies[space] = newest
        while len(self._copies) > MOST_SPACES:
            self._copies.popitem(last=False)
        return newest[1]

    async def keep(self, space: str, labelled: Labelled, *, append: bool) -> None:
        """See LabelledPhotos. One transaction: two processes that add at the same moment lose nothing."""
        await self._file.run(lambda db: _keep(db, (self._model_id, space), labelled, append))

    async def forget(self, space: str) -> None:
        """See LabelledPhotos."""

        def work(db: sqlite3.Connection) -> None:
            with transaction(db, "IMMEDIATE"):
                _forget(db, (self._model_id, space))

        await self._file.run(work)

    async def close(self) -> None:
        """See LabelledPhotos."""
        await self._file.close()


def _newest(
    db: sqlite3.Connection, place: tuple[str, str], copy: tuple[str, Labelled] | None
) -> tuple[str, Labelled] | None:
    """The photos of a model and space with the stamp of their last change: `copy` itself when it has that stamp."""
    with transaction(db, "DEFERRED"):  # one read transaction sees one moment
        query = "SELECT stamp, revision FROM calibrations WHERE model = ? AND space = ?"
        head = db.execute(query, place).fetchone()
        if head is None or (copy is not None and head[0] == copy[0]):
            return head and copy
        query = "SELECT class_id, v FROM labelled WHERE model = ? AND space = ? ORDER BY number"
        class_ids, rows = zip(*db.execute(query, place), strict=True)
    v = np.frombuffer(b"".join(rows), dtype="<f4").astype(np.float32).reshape(len(rows), -1)
    return head[0], Labelled(head[1], v, class_ids)


def _keep(db: sqlite3.Connection, place: tuple[str, str], labelled: Labelled, append: bool) -> None:
    rows = labelled.v.astype("<f4")
    photos = [(*place, name, row.tobytes()) for name, row in zip(labelled.class_ids, rows, strict=True)]
    with transaction(db, "IMMEDIATE"):
        if not append:
            _forget(db, place)
        query = "INSERT INTO calibrations VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET stamp = excluded.stamp"
        db.execute(query, (*place, labelled.revision, secrets.token_hex(8)))
        db.executemany("INSERT INTO labelled (model, space, class_id, v) VALUES (?, ?, ?, ?)", photos)


def _forget(db: sqlite3.Connection, place: tuple[str, str]) -> None:
    for table in ("calibrations", "labelled"):
        db.execute(f"DELETE FROM {table} WHERE model = ? AND space = ?", place)
