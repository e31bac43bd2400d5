"""Photos decoded and resized once, so that an epoch is not bound by JPEG decoding."""

from __future__ import annotations

import hashlib
import inspect
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from duet_core.benchmarks.benchmark import BenchmarkError
from duet_core.runtime import colour, decoding, orientation
from duet_core.runtime.preprocess import load_rgb, resize_crop

PhotoArray = NDArray[np.uint8]

_LOGGER = logging.getLogger(__name__)
_STEPS = (decoding, orientation, colour, load_rgb, resize_crop)
_PREPROCESSING = "".join([PIL.__version__, *(inspect.getsource(step) for step in _STEPS)])
_REPORTS = 10


@dataclass(frozen=True)
class PhotoCache:
    """N photos as one (N, side, side, 3) uint8 RGB file in `directory`, made at the first `open`.

    Each photo is turned upright, its short side resized and the centre cropped, by the
    very functions with which the service prepares a photo.

    Attributes:
        paths: N photo files.
        side: height and width of the cached photos in pixels.
        resize: pixels of the short side before the centre crop; None for `side`: as much as possible is kept.
        interpolation: how it is scaled.
        directory: where cache files lie; `.cache/photos` in the working directory unless told otherwise.
    """

    paths: Sequence[Path]
    side: int
    directory: Path = Path(".cache/photos")
    resize: int | None = None
    interpolation: str = "bicubic"

    def __post_init__(self) -> None:
        if self.side < 1 or not self.paths:
            raise ValueError(f"got side {self.side} and {len(self.paths)} photos; allowed is at least 1 of both")

    @property
    def file(self) -> Path:
        """The cache file; named after the photos' real paths, sizes and dates, `side` and the preprocessing code."""
        digest = hashlib.sha256(f"{_PREPROCESSING} side={self.side} resize={self.resize} {self.interpolation}".encode())
        for path in self.paths:
            stat = path.stat()
            digest.update(f"\0{path.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
        return self.directory / f"{digest.hexdigest()[:24]}-{self.side}.npy"

    def open(self) -> PhotoArray:
        """The photos (N, side, side, 3), memory-mapped and read-only, in the order of `paths`.

        Raises BenchmarkError naming the photo that cannot be read; nothing is left behind then.
        """
        file = self.file
        if not file.exists():
            self._build(file)
        pixels: PhotoArray = np.load(file, mmap_mode="r", allow_pickle=False)
        return pixels

    def _build(self, file: Path) -> None:
        """Write the cache under a temporary name and rename it, so that `file` is complete whenever it exists."""
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        try:
            shape = (len(self.paths), self.side, self.side, 3)
            pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            self._fill(pixels)
            pixels.flush()
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)

    def _fill(self, pixels: PhotoArray) -> None:
        started = time.monotonic()
        step = max(len(self.paths) // _REPORTS, 1)
        for row, path in enumerate(self.paths):
            try:
                short = self.resize or self.side
                photo = load_rgb(path, side=short)
                cropped = resize_crop(photo, resize=short, size=self.side, interpolation=self.interpolation)
                pixels[row] = np.asarray(cropped)
            except (OSError, ValueError) as error:
                raise BenchmarkError(str(path), [f"photo cannot be read ({error}); replace or remove it"]) from error
            done = row + 1
            if done % step == 0 or done == len(self.paths):
                left = (time.monotonic() - started) / done * (len(self.paths) - done)
                share = 100 * done // len(self.paths)
                _LOGGER.info("photo cache: %d of %d photos (%d%%), %.0f s left", done, len(self.paths), share, left)
