"""API keys as a file: names, scopes and hashes, never the keys themselves.

A key is 256 bits from the system's random source, so its SHA-256 cannot be searched for and a slow password hash would
only slow every request down. That holds for keys made here; the file has no place for a password somebody chose.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, model_validator

Scope = Literal["classify", "manage", "admin"]

PREFIX = "duet_"
"""Begins every key, so that people and secret scanners know one when they see it."""

EXAMPLE = '{"keys": [{"name": "camera", "scopes": ["classify"], "sha256": "<64 hex digits>"}]}'


class KeyFileError(ValueError):
    """A key file that is missing or cannot be used; the message says why and never shows a key."""


class KeyEntry(BaseModel):
    """One key. Several may carry the same name: the old and the new one while a key is changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$", description="Who calls; goes into the audit log.")
    scopes: frozenset[Scope] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the key in UTF-8, as hex digits.")
    created_at: str | None = Field(default=None, description="ISO 8601, UTC.")

    @field_serializer("scopes")
    def _in_order(self, scopes: frozenset[Scope]) -> list[str]:
        return sorted(scopes)

    @property
    def id(self) -> str:
        """What `duet keys revoke` calls it: the first digits of the hash."""
        return self.sha256[:12]

    def allows(self, scope: Scope | None) -> bool:
        """Whether the key opens what needs `scope`; None is what every key opens, and admin opens everything."""
        return scope is None or scope in self.scopes or "admin" in self.scopes


class KeyFile(BaseModel):
    """All keys. An empty list lets nobody in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[KeyEntry, ...]

    @model_validator(mode="after")
    def _no_key_twice(self) -> Self:
        twice = [digest[:12] for digest, count in Counter(entry.sha256 for entry in self.keys).items() if count > 1]
        if twice:
            raise ValueError(f"the key {twice[0]} is listed more than once; list each key once, with all its scopes")
        return self


def digest(key: str) -> str:
    """The hash a key is known by."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_key(name: str, scopes: Collection[str]) -> tuple[str, KeyEntry]:
    """A fresh key, to be shown once, and its entry. Raises KeyFileError for a name or scopes that are not allowed."""
    key = PREFIX + secrets.token_urlsafe(32)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        return key, KeyEntry.model_validate(
            {"name": name, "scopes": list(scopes), "sha256": digest(key), "created_at": now}
        )
    except ValidationError as error:
        got = f"got name {name!r} and scopes {sorted(scopes)}"
        raise KeyFileError(f"{_told(error)}; {got}, allowed are such as 'camera-3', ['classify']") from None


def read_key_file(path: Path) -> KeyFile:
    """The keys in a file. Raises KeyFileError."""
    try:
        return KeyFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror or error}; make one with `duet keys make NAME`") from None
    except ValidationError as error:
        raise KeyFileError(f"{path}: {_told(error)}; expected {EXAMPLE}") from None


def write_key_file(path: Path, file: KeyFile) -> None:
    """Put a file in the place of the old one, whole or not at all: a service may read it at any moment."""
    text = file.model_dump_json(indent=1, exclude_none=True) + "\n"
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)  # hashes only: the service reads it
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _told(error: ValidationError) -> str:
    """The first mistake, without the input: that might be a key in the wrong place."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])
