"""Files that are either whole or not there, whatever ends the process or the machine."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written(path: Path, *, drafts: Path | None = None) -> Iterator[BinaryIO]:
    """A file that is there, whole and on the disk, when the body has ended well, and as it was before otherwise.

    Args:
        path: the file; one that exists is replaced.
        drafts: folder on the same file system where it grows meanwhile; default that of the file. A killed process
            leaves a draft there, `.NAME.….part`.
    """
    draft = (drafts or path.parent) / f".{path.name}.{uuid.uuid4().hex[:12]}.part"
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink(missing_ok=True)
