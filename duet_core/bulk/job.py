"""A job's work folder: what was asked, what is done, and that no two processes work on it.

`.NAME.duet-bulk` lies beside the file NAME that is to be made and holds

    job.json    what was asked, and how many photos there are; written when the plan is whole
    plan        the photos of each shard
    shards      the rows of each shard that is done
    classes     the classes the job began with, where they do not come with the bundle
    lock        held while a process works

Every file is written under another name and renamed: whatever ends a process, a file that is there is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as arrow
import pyarrow.parquet as parquet

from duet_core.bulk.plan import write_plan
from duet_core.bulk.writing import written
from duet_core.studies.file_lock import file_lock

KEY = b"duet.bulk"
"""Where a finished file says which job made it."""
JOB, PLAN, SHARDS, LOCK = "job.json", "plan", "shards", "lock"
CLASSES = "classes"


class JobError(RuntimeError):
    """A job that may not go on as asked; the message says what differs and what to do."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A planned job.

    Attributes:
        out: the file to be made.
        folder: the work folder.
        asked: everything the rows depend on, by name.
        shards, photos, left_out: how many there are; files left out are not named like photos.
    """

    out: Path
    folder: Path
    asked: Mapping[str, Any]
    shards: int
    photos: int
    left_out: int

    @property
    def shard_rows(self) -> int:
        """Photos of every shard but the last."""
        return int(self.asked["shard_rows"])

    def rows_of(self, shard: int) -> int:
        """Photos of one shard."""
        return min(self.shard_rows, self.photos - shard * self.shard_rows)

    def rows_in(self, shards: Iterable[int]) -> int:
        """Photos of several shards."""
        return sum(map(self.rows_of, shards))

    def done(self) -> set[int]:
        """Shards that are written. One with other than its number of rows, which a broken disk may leave, is not."""
        found = {int(path.stem) for path in (self.folder / SHARDS).glob("[0-9]*.parquet")}
        return {shard for shard in found if _rows_in(shard_file(self.folder, shard)) == self.rows_of(shard)}

    def join(self) -> int:
        """Make the file of all shards, and remove the work folder; returns how many photos were refused.

        Raises JobError where a shard is missing, OSError.
        """
        if missing := set(range(self.shards)) - self.done():
            raise JobError(f"{self.out}: shards {sorted(missing)[:5]} are not done; run the same command again")
        facts = json.dumps({"asked": self.asked, "photos": self.photos}).encode()
        with written(self.out, drafts=self.folder) as file:
            refused = _join((shard_file(self.folder, shard) for shard in range(self.shards)), file, {KEY: facts})
        remove_work(self.folder)
        return refused


def work_folder(out: Path) -> Path:
    """Where the work on a file lies.

    >>> work_folder(Path("a/predictions.parquet")).name
    '.predictions.parquet.duet-bulk'
    """
    return out.with_name(f".{out.name}.duet-bulk")


def shard_file(folder: Path, shard: int) -> Path:
    """Where the rows of a shard lie."""
    return folder / SHARDS / f"{shard:06}.parquet"


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Nobody else works on this file meanwhile. Raises JobError when somebody does."""
    folder = work_folder(out)
    with file_lock(folder / LOCK, wait=False) as ours:
        if not ours:
            raise JobError(f"another process works on {out}; wait for it, or name another file with --out")
        try:
            yield
        finally:
            if {path.name for path in folder.glob("*")} == {LOCK}:  # nothing was begun, or all is finished
                shutil.rmtree(folder)


def planned(out: Path) -> Job | None:
    """The job that was begun for this file and not finished, or None."""
    folder = work_folder(out)
    if not (folder / JOB).is_file():
        return None
    return Job(out=out, folder=folder, **json.loads((folder / JOB).read_text(encoding="utf-8")))


def finished(out: Path) -> dict[str, Any] | None:
    """What was asked of the job that made this file, or None where there is no file. Raises JobError for another's."""
    if not out.exists():
        return None
    try:
        facts = (parquet.read_schema(out).metadata or {}).get(KEY)
    except (OSError, arrow.ArrowException):
        facts = None
    if facts is None:
        raise JobError(f"{out} exists and was not made by `duet bulk`; name another file with --out, or move it away")
    return dict(json.loads(facts)["asked"])


def plan_job(out: Path, asked: Mapping[str, Any], photos: Iterable[str], left_out: Callable[[], int]) -> Job:
    """Write down the photos of a new job. Raises ValueError where there is none, OSError."""
    folder = work_folder(out)
    shutil.rmtree(folder / PLAN, ignore_errors=True)  # one that was not finished
    (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    shards, count = write_plan(folder / PLAN, photos, shard_rows=int(asked["shard_rows"]))
    if not count:
        remove_work(folder)
        raise ValueError(f"{asked['photos']}: no photos, {left_out()} other files; photos are .jpg, .png or .webp")
    numbers = {"asked": dict(asked), "shards": shards, "photos": count, "left_out": left_out()}
    with written(folder / JOB) as file:
        file.write(json.dumps(numbers, indent=1).encode())
    return Job(out=out, folder=folder, asked=asked, shards=shards, photos=count, left_out=left_out())


def remove_work(folder: Path) -> None:
    """Forget a job: first that there is one, so that one half removed is not taken for one half done."""
    (folder / JOB).unlink(missing_ok=True)
    for path in folder.glob("*"):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def check_same(asked: Mapping[str, Any], before: Mapping[str, Any], where: str) -> None:
    """Raises JobError naming every setting in which a job differs from the one begun before."""
    names = [name for name in {**before, **asked} if asked.get(name) != before.get(name)]
    if names:
        told = "; ".join(f"{name}: {before.get(name)!r} then, {asked.get(name)!r} now" for name in names)
        raise JobError(f"{where} for other settings: {told}. Use those again, or begin anew with --restart")


def _rows_in(path: Path) -> int:
    try:
        return int(parquet.read_metadata(path).num_rows)
    except (OSError, arrow.ArrowException):
        return -1


def _join(files: Iterable[Path], out: BinaryIO, metadata: dict[bytes, bytes]) -> int:
    """One shard after the other, each a row group; returns how many rows are refused ones."""
    writer, refused = None, 0
    try:
        for file in files:
            rows = parquet.read_table(file)
            if writer is None:
                writer = parquet.ParquetWriter(out, rows.schema.with_metadata(metadata), compression="zstd")
            writer.write_table(rows.replace_schema_metadata(metadata), row_group_size=len(rows))
            refused += len(rows) - rows["reason"].null_count
    finally:
        if writer is not None:
            writer.close()
    return refused
