"""Which photos a job has: those of a folder, or those of a list, one after the other and never all in memory."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
LISTS = (".txt", ".csv", ".parquet")


class PhotoList:
    """The photos below a folder, or those that a list names. Iterating gives paths relative to `root`.

    A folder is walked down: its own photos by name, then its folders by name. Photos are files named as in `SUFFIXES`;
    hidden files and folders, and links to folders, are passed over. Only one folder's names are in memory at once.

    A list is a text file with a path a line, or a CSV or Parquet file with a column of paths. Every line is a photo,
    whatever its name, in the order of the list; a path that is not absolute is taken from the list's own folder.

    Args:
        source: the folder or the list.
        column: of a CSV or Parquet list.

    Raises ValueError where `source` is neither, naming what is allowed.
    """

    def __init__(self, source: Path, *, column: str = "path") -> None:
        if not source.is_dir() and not (source.is_file() and source.suffix.lower() in LISTS):
            what = "is another kind of file" if source.is_file() else "does not exist"
            raise ValueError(
                f"{source} {what}; give a folder of photos, or a list: a {', '.join(LISTS[:-1])} or {LISTS[-1]} file, "
                "such as photos.txt with one path a line"
            )
        self.source = source.resolve()
        self.root = self.source if self.source.is_dir() else self.source.parent
        self.left_out = 0
        """Files passed over so far, since they are not named like photos."""
        self._column = column

    def __iter__(self) -> Iterator[str]:
        """Paths as Python has them: bytes that are no UTF-8 are kept as surrogates. Raises OSError, ValueError."""
        if self.source.is_dir():
            return self._walk()
        kind = self.source.suffix.lower()
        return {".csv": self._csv, ".parquet": self._parquet}.get(kind, self._lines)()

    def _walk(self) -> Iterator[str]:
        waiting = [""]
        while waiting:
            inside = waiting.pop()
            files, folders = [], []
            with os.scandir(self.root / inside) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{inside}{entry.name}/")
                    elif entry.name.lower().endswith(SUFFIXES) and not entry.is_dir():
                        files.append(f"{inside}{entry.name}")
                    else:
                        self.left_out += 1
            yield from sorted(files)
            waiting.extend(sorted(folders, reverse=True))

    def _lines(self) -> Iterator[str]:
        with self.source.open("rb") as lines:
            for line in lines:
                if path := line.rstrip(b"\r\n"):
                    yield os.fsdecode(path)

    def _csv(self) -> Iterator[str]:
        with self.source.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            rows = csv.DictReader(lines)
            self._check_column(list(rows.fieldnames or ()))
            yield from (path for row in rows if (path := row[self._column]))

    def _parquet(self) -> Iterator[str]:
        import pyarrow.parquet as parquet

        with parquet.ParquetFile(self.source) as file:
            self._check_column(list(file.schema_arrow.names))
            for batch in file.iter_batches(columns=[self._column]):
                yield from (str(path) for path in batch.column(0).to_pylist() if path)

    def _check_column(self, names: list[str]) -> None:
        if self._column not in names:
            raise ValueError(
                f"{self.source}: no column {self._column!r}; it has {', '.join(names[:20])}: name one with --column"
            )
