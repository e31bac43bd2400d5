"""Coverage-guided search for photos that do anything but become pixels or be refused: `make fuzz`."""

from __future__ import annotations

import importlib
import sys

import atheris

with atheris.instrument_imports(include=["duet_core.runtime", "PIL"]):
    for reader in ("Jpeg", "Png", "WebP"):  # Pillow would import them with the first photo, when it is too late
        importlib.import_module(f"PIL.{reader}ImagePlugin")
    from duet_core.runtime.photos import PhotoLimits, PhotoRefused, photo_pixels
    from duet_core.runtime.preprocess import Preprocessing

LIMITS = PhotoLimits(pixels=1_000_000, side=10_000, aspect=50, memory=64 * 2**20)
"""Fewer pixels than the service allows: the search gets through more files."""
PREPARE = Preprocessing(size=16, resize=18, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def one_photo(data: bytes) -> None:
    """Read one file as the service does. Whatever else is raised is a finding."""
    try:
        pixels = photo_pixels(data, prepare=PREPARE, limits=LIMITS, side=PREPARE.resize)
    except PhotoRefused:
        return
    assert pixels.shape == (3, 16, 16)
    assert 0 <= pixels.min() <= pixels.max() <= 1


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_photo)
    atheris.Fuzz()
