"""The keys at work: looked up in constant time, read again when their file changes."""

from __future__ import annotations

import hmac
import logging
from pathlib import Path

from app.access.key_file import KeyEntry, KeyFile, KeyFileError, digest, read_key_file

log = logging.getLogger("duet.access")

Stamp = tuple[int, int, int, int]


class Keyring:
    """The keys of one file. A change on disk counts from the next request on.

    A file that is missing or broken after the start changes nothing: the keys read last stay valid, and the log says
    so once. Raises KeyFileError when the file cannot be used at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._file: KeyFile = read_key_file(path)

    def __len__(self) -> int:
        return len(self._file.keys)

    def find(self, key: str) -> KeyEntry | None:
        """The entry of a key, or None. The time taken tells nothing of which keys there are."""
        self._reread()
        asked, found = digest(key), None
        for entry in self._file.keys:  # all of them, also after the right one
            if hmac.compare_digest(entry.sha256, asked):
                found = entry
        return found

    def _reread(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp  # before reading: a file written meanwhile has another stamp and is read next time
        try:
            self._file = read_key_file(self._path)
        except KeyFileError as error:
            log.error("the keys stay as they were, the changed file cannot be used: %s", error)
        else:
            log.warning("%d API keys read from %s", len(self), self._path)


def _stamp(path: Path) -> Stamp | None:
    """Changes whenever the file does, also when another is put in its place; None when it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
