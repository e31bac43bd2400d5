"""What a client says of classes; the service checks it and says what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

FileKind = Literal["jsonl", "csv"]
MEDIA: dict[FileKind, str] = {"jsonl": "application/x-ndjson", "csv": "text/csv"}


class NewClass(BaseModel):
    """A class to register, by `prompt` or by `attributes`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str
    label: str
    prompt: str | None = None
    attributes: dict[str, float] | list[float] | None = None
    ttl_seconds: int | None = None


class ClassChange(BaseModel):
    """What to change of a class; what is not given stays, and None is a value: `ttl_seconds=None` means for ever.

    A seen class has only `label` (None gives the bundle's back) and `hidden`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    label: str | None = None
    prompt: str | None = None
    attributes: dict[str, float] | list[float] | None = None
    ttl_seconds: int | None = None
    hidden: bool | None = None


def file_kind(path: Path) -> FileKind:
    """The kind of a file by its name. Raises ValueError for another."""
    if path.suffix.lower() == ".jsonl":
        return "jsonl"
    if path.suffix.lower() == ".csv":
        return "csv"
    raise ValueError(f"{path}: files of classes are .jsonl (one JSON object a line) or .csv, such as classes.jsonl")


def as_file(classes: Path | Iterable[NewClass]) -> tuple[bytes, FileKind]:
    """Classes as POST /import takes them: a file as it is, or JSON lines. Raises ValueError, OSError."""
    if isinstance(classes, Path):
        return classes.read_bytes(), file_kind(classes)
    return "".join(f"{new.model_dump_json(exclude_none=True)}\n" for new in classes).encode(), "jsonl"
