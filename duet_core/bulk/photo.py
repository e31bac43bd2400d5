"""One file to pixels, or to the reason why not: whatever lies in a folder, the job goes on."""

from __future__ import annotations

import errno
import hashlib
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from duet_core.runtime.encoder import Look
from duet_core.runtime.photos import PhotoLimits, PhotoRefused, photo_pixels

ITS_OWN = {
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
    errno.EACCES: "unreadable",
    errno.EPERM: "unreadable",
    errno.EISDIR: "unreadable",
    errno.ELOOP: "unreadable",
    errno.ENAMETOOLONG: "unreadable",
}
"""What is wrong with one file and will be tomorrow. Any other error, such as a share that went away, ends the job."""


@dataclass(frozen=True)
class Refused:
    """Why a photo has no answer: the `problem` the service would name, or missing, unreadable, not-finite."""

    reason: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A photo as far as it can be taken without the model.

    Attributes:
        row: its place in the job.
        path: as in the plan.
        size: bytes of the file; None where it could not be read.
        sha256: of the file, hexadecimal; None where it was not read.
        pixels: (3, S, S), or why there are none.
    """

    row: int
    path: str
    size: int | None
    sha256: str | None
    pixels: NDArray[np.float32] | Refused


@dataclass(frozen=True, kw_only=True)
class PhotoFiles:
    """Reads the photos of a job; thread-safe.

    Attributes:
        root: where relative paths begin.
        prepare: a bundle's way to look at a photo.
        side: pixels of the short side that it scales to.
        limits, max_bytes: what is refused, as in the service.
    """

    root: Path
    prepare: Callable[[Image.Image], Look]
    side: int
    limits: PhotoLimits
    max_bytes: int

    def read(self, row: int, path: str) -> Prepared:
        """One photo. Raises OSError only for what is not the file's own fault (see `ITS_OWN`)."""
        size = sha256 = None
        pixels: NDArray[np.float32] | Refused
        try:
            file = self.root / path
            size = self._size(file)
            data = file.read_bytes()
            size, sha256 = len(data), hashlib.sha256(data).hexdigest()
            self._check(size)
            pixels = photo_pixels(data, prepare=self.prepare, limits=self.limits, side=self.side).pixels
        except PhotoRefused as refused:
            pixels = Refused(refused.reason, str(refused))
        except _NoPhoto as refused:
            pixels = Refused(refused.reason, str(refused))
        except OSError as error:
            pixels = self._own_fault(error)
        except ValueError as error:  # a null character in a path
            pixels = Refused("unreadable", str(error))
        return Prepared(row=row, path=path, size=size, sha256=sha256, pixels=pixels)

    def _size(self, file: Path) -> int:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would never end
            raise _NoPhoto("unreadable", "Not a file, but a folder, a pipe or a device.")
        self._check(found.st_size)
        return found.st_size

    def _check(self, size: int) -> None:
        if not size:
            raise _NoPhoto("no-image", "The image is empty.")
        if size > self.max_bytes:
            raise _NoPhoto("body-too-large", f"{size} bytes; at most {self.max_bytes} are read.")

    def _own_fault(self, error: OSError) -> Refused:
        reason = ITS_OWN.get(error.errno or 0)
        if reason is None or (reason == "missing" and not self.root.is_dir()):
            raise error
        return Refused(reason, error.strerror or str(error))


class _NoPhoto(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
