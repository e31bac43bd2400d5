"""A lock on a file that ends with the process that holds it, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(file: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock in the body; True when it is ours.

    Args:
        file: the lock; made when it is not there, and left.
        wait: for whoever holds it; otherwise the body runs at once, with False.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
