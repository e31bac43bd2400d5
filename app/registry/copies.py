"""Copies of snapshots on this machine's disk, so that photos are classified after a restart while the store is away.

A copy is a folder: one file for each block of classes and `copy.json`, which names them and is replaced last. Blocks
never change, so a new revision writes only its new blocks.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary
from zipfile import BadZipFile

import numpy as np

from app.registry.blocks import RecordBlock, RecordView, block_of
from app.registry.snapshot import LeftOut, SeenClasses, Snapshot
from app.registry.store import ClassRecord, Head
from duet_core.runtime.metric import Metric

log = logging.getLogger("duet.registry")

FORMAT = 3
FIELDS = tuple(field.name for field in dataclasses.fields(ClassRecord) if field.name != "degrees")


@dataclass(frozen=True)
class Copy:
    """A snapshot read from disk, and when the store last confirmed it (seconds since 1970)."""

    snapshot: Snapshot
    confirmed_at: float


class Copies:
    """Keeps one copy of each class space below `folder`, which is made when missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: WeakKeyDictionary[RecordBlock, str] = WeakKeyDictionary()
        self._number = 0

    def save(self, snapshot: Snapshot) -> None:
        """Write what is new of a snapshot. Raises OSError; the copy before it then stays whole."""
        folder = self.folder / snapshot.space
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several processes of one machine may share the folder
            if not self._has(folder, snapshot):
                self._save(folder, snapshot)

    def _save(self, folder: Path, snapshot: Snapshot) -> None:
        blocks = []
        for view in snapshot.views:
            name = self._files.get(view.block)
            if name is None or not (folder / name).exists():
                name = self._save_block(folder, view.block)
            hidden = [] if view.shown.live is None else np.flatnonzero(~view.shown.live).tolist()
            blocks.append({"file": name, "hidden": hidden})
        told = {
            "format": FORMAT,
            "metric": snapshot.seen.classes.metric.checksum,
            "schema": snapshot.seen.schema,
            "bundle": _bundle_of(snapshot),
            "epoch": snapshot.head.epoch,
            "revision": snapshot.revision,
            "token": snapshot.head.token,
            "blocks": blocks,
            "seen_changes": [_values(record) for record in snapshot.seen_changes.values()],
            "expiring": dict(snapshot.expiring),
            "settings": snapshot.settings and _values(snapshot.settings),
            "left_out": [[_values(left.record), left.reason] for left in snapshot.left_out.values()],
        }
        _replace(folder / "copy.json", json.dumps(told).encode())
        named = {block["file"] for block in blocks}
        for path in folder.glob("*.npz"):
            if path.name not in named:
                path.unlink(missing_ok=True)

    def confirm(self, space: str) -> None:
        """The store has the same revision as the copy: remember when."""
        path = self.folder / space / "copy.json"
        if path.exists():
            os.utime(path)

    def load(self, space: str, seen: SeenClasses) -> Copy | None:
        """The copy of a space; None when there is none that can be read with this bundle."""
        folder = self.folder / space
        try:
            confirmed_at = (folder / "copy.json").stat().st_mtime
            told = json.loads((folder / "copy.json").read_bytes())
            own = ("", seen.carrier.bundle if seen.carrier else "")
            metric = seen.classes.metric
            fits = (told["format"], told["schema"], told["metric"]) == (FORMAT, seen.schema, metric.checksum)
            if not fits or told["bundle"] not in own:
                log.warning("space %s: the copy on disk is of another format, schema or bundle; left aside", space)
                return None
            views = []
            for entry in told["blocks"]:
                view = RecordView.of(self._load_block(folder, entry["file"], metric))
                views.append(view.without(entry["hidden"]) if entry["hidden"] else view)
            settings = told.get("settings")
            changes = [_record(values) for values in told["seen_changes"]]
            snapshot = Snapshot(
                space=space,
                head=Head(told["epoch"], told["revision"], told["token"]),
                views=tuple(views),
                seen_changes={record.id: record for record in changes},
                seen=seen,
                expiring={name: (at, revision) for name, (at, revision) in told["expiring"].items()},
                settings=settings and _record(settings),
                left_out={left[0][0]: LeftOut(_record(left[0]), left[1]) for left in told["left_out"]},
            )
            return Copy(snapshot, confirmed_at)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            log.warning("space %s: the copy on disk cannot be read (%s); left aside", space, error)
            return None

    def _has(self, folder: Path, snapshot: Snapshot) -> bool:
        """Whether another process has copied this revision."""
        try:
            told = json.loads((folder / "copy.json").read_bytes())
            metric = snapshot.seen.classes.metric.checksum
            wanted = (FORMAT, snapshot.seen.schema, metric, _bundle_of(snapshot))
            same = (told["format"], told["schema"], told["metric"], told["bundle"]) == wanted
            return same and Head(told["epoch"], told["revision"], told["token"]) == snapshot.head
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _save_block(self, folder: Path, block: RecordBlock) -> str:
        self._number += 1
        name = f"{time.time_ns():x}-{os.getpid()}-{self._number}.npz"
        words = json.dumps([_values(record) for record in block.records], ensure_ascii=False).encode()
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as file:
            np.savez(file, z=block.classes.z, norms=block.norms, records=np.frombuffer(words, dtype=np.uint8))
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(folder / name)
        self._files[block] = name
        return name

    def _load_block(self, folder: Path, name: str, metric: Metric) -> RecordBlock:
        with (folder / name).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            z, norms = arrays["z"], arrays["norms"]
            records = tuple(map(_record, json.loads(arrays["records"].tobytes())))
        block = block_of(records, z, norms, metric)
        self._files[block] = name
        return block


def _bundle_of(snapshot: Snapshot) -> str:
    """The bundle that alone can use a copy, since classes in it were carried over or left out; "" for any."""
    carrier = snapshot.seen.carrier
    return carrier.bundle if carrier and (snapshot.left_out or snapshot.carried()) else ""


def _values(record: ClassRecord) -> list[Any]:
    return [getattr(record, name) for name in FIELDS]


def _record(values: Sequence[Any]) -> ClassRecord:
    return ClassRecord(degrees=b"", **dict(zip(FIELDS, values, strict=True)))


def _replace(path: Path, data: bytes) -> None:
    """Put a file in place of another, whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
