"""What a bundle's manifest may name: plain files of the bundle's own folder, and names that can be shown anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}")
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
MODEL_ID_EXAMPLE = "letters, digits and ._@+-, at most 128, such as 'birds-duet-seed0'"


def trouble_with_file(folder: Path, name: str) -> str | None:
    """Why a file named in a manifest must not be opened; None when it may.

    A name is no path, so that a manifest cannot lead to another folder; a link may lead to another place of the
    folder (volumes of Kubernetes are made of such), and to nowhere else.
    """
    if not _FILE_NAME.fullmatch(name):
        return f"files names {name[:80]!r}, which is no plain file name such as 'vision.onnx'"
    path = folder / name
    if not path.is_file():
        return f"files: {name}: no such file; copy the whole bundle again"
    if not path.resolve().is_relative_to(folder.resolve()):
        return f"files: {name}: a link out of the folder; copy the file itself (cp -L)"
    return None


def trouble_with_listing(files: object) -> str | None:
    """Why `files` of a manifest is not ``{name: {"sha256": hex, "bytes": size}}``; None when it is."""
    entries = files.values() if isinstance(files, dict) else [None]
    if all(
        isinstance(entry, dict) and isinstance(entry.get("bytes"), int) and isinstance(entry.get("sha256"), str)
        for entry in entries
    ):
        return None
    return 'files has to be such as {"vision.onnx": {"sha256": "<64 hex digits>", "bytes": 4096}, …}'


def trouble_with_model_id(model_id: object) -> str | None:
    """Why this cannot name a model: the id stands in answers, paths, log lines and keys of the store."""
    if isinstance(model_id, str) and _MODEL_ID.fullmatch(model_id):
        return None
    return f"model_id {str(model_id)[:80]!r}; allowed are {MODEL_ID_EXAMPLE}"


def unprintable(names: Iterable[str]) -> str | None:
    """The first name that is empty, or holds what would break a line of a log or a terminal; None when all are fine."""
    return next((name for name in names if not name or not name.isprintable()), None)
