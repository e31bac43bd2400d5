"""From a photo to the pixels a vision encoder reads; the same code in training and in service."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from duet_core.runtime.colour import to_srgb
from duet_core.runtime.decoding import decode, flattened, take_apart
from duet_core.runtime.photo_parts import MAX_ASPECT, PhotoError, PhotoLimits

INTERPOLATIONS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
"""Those that encoders were trained with; both antialiased when a photo is scaled down."""


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How a bundle wants its photos.

    Attributes:
        size: side S of the square the encoder reads, in pixels.
        resize: the short side is scaled to this many pixels before the centre crop; at least `size`.
        interpolation: how it is scaled, one of `INTERPOLATIONS`.
        mean, std: of each channel (red, green, blue), on the 0…1 scale.
    """

    size: int
    resize: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"

    def __post_init__(self) -> None:
        if not 1 <= self.size <= self.resize:
            raise ValueError(f"size {self.size}, resize {self.resize}; allowed is 1 <= size <= resize, as 192 and 219")
        _resampling(self.interpolation)
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3 or not all(math.isfinite(value) for value in values):
                raise ValueError(f"{name} {values}; three finite numbers are needed, as [0.485, 0.456, 0.406]")
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std}; each must be above 0")

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        """Pixels (3, S, S) of a photo of any size and colour mode."""
        cropped = resize_crop(to_rgb(image), resize=self.resize, size=self.size, interpolation=self.interpolation)
        return to_pixels(cropped, mean=self.mean, std=self.std)

    def picture(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """(S, S, 3) what prepared pixels (3, S, S) show: the inverse of `__call__` but for the crop and the scaling."""
        mean, std = (np.asarray(values, dtype=np.float32)[:, None, None] for values in (self.mean, self.std))
        values = np.rint((pixels * std + mean) * 255)
        return np.asarray(np.clip(values, 0, 255).astype(np.uint8).transpose(1, 2, 0))

    def to_json(self) -> dict[str, Any]:
        """The `preprocessing` entry of a bundle's manifest."""
        return {
            "size": self.size,
            "resize": self.resize,
            "interpolation": self.interpolation,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Preprocessing:
        """The inverse of `to_json`. Raises ValueError for another interpolation or impossible numbers."""
        mean, std = (tuple(float(value) for value in data[name]) for name in ("mean", "std"))
        return cls(
            size=int(data["size"]),
            resize=int(data["resize"]),
            mean=mean,  # type: ignore[arg-type]
            std=std,  # type: ignore[arg-type]
            interpolation=str(data["interpolation"]),
        )


def _resampling(interpolation: str) -> Image.Resampling:
    """Pillow's name for an interpolation. Raises ValueError for one that is not known."""
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation {interpolation!r}; allowed are {', '.join(INTERPOLATIONS)}")
    return INTERPOLATIONS[interpolation]


def load_rgb(source: bytes | Path, *, side: int | None = None) -> Image.Image:
    """Read a JPEG, PNG or WebP photo, upright and in sRGB (see `duet_core.runtime.decoding.decode`).

    Args:
        source: the encoded bytes, or the path of a file.
        side: pixels of the short side that the photo will be scaled to; a large one is then read at about twice that
            or more, exactly as the service reads it. None keeps it as large as it is.

    Raises:
        PhotoError: not one of `FORMATS`, broken, cut short, animated, or more than `MAX_PIXELS` pixels.
    """
    name = str(source) if isinstance(source, Path) else f"the {len(source)} bytes given"
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
        return decode(take_apart(data), limits=PhotoLimits(aspect=math.inf), side=side)
    except (FileNotFoundError, IsADirectoryError):
        raise PhotoError(f"{name}: no such file; give the path of a JPEG, PNG or WebP photo") from None
    except PhotoError as error:
        raise PhotoError(f"{name}: {error}", error.reason, **error.members) from error
    except OSError as error:
        raise PhotoError(f"{name}: cannot be read ({error})") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """An upright 8-bit RGB picture, in sRGB, of a decoded image of any mode.

    EXIF orientation and a colour profile are applied; transparency is laid over white; 16-bit grey keeps its upper 8
    bits. Raises PhotoError for modes without an agreed meaning, such as floating point.
    """
    if image.mode == "RGB" and not image.info:  # as `load_rgb` gives them
        return image
    turned = ImageOps.exif_transpose(image)
    return to_srgb(flattened(turned), turned.info.get("icc_profile") or b"")


def resize_crop(image: Image.Image, *, resize: int, size: int, interpolation: str = "bicubic") -> Image.Image:
    """Scale the short side to `resize` pixels (antialiased) and cut the central `size` x `size` square.

    Raises:
        ValueError: `size` above `resize`, which would leave a border; an interpolation that is not known.
        PhotoError: one side more than `MAX_ASPECT` times the other.
    """
    if not 1 <= size <= resize:
        raise ValueError(f"size {size}, resize {resize}; allowed is 1 <= size <= resize, such as 192 and 219")
    width, height = image.size
    short, long = min(width, height), max(width, height)
    if long > MAX_ASPECT * short:
        raise PhotoError(f"{width} x {height} pixels; the long side may be at most {MAX_ASPECT} times the short one")
    if short != resize:
        width, height = (resize if side == short else round(side * resize / short) for side in (width, height))
        image = image.resize((width, height), _resampling(interpolation))
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))


def to_pixels(image: Image.Image, *, mean: Sequence[float], std: Sequence[float]) -> NDArray[np.float32]:
    """Normalised pixels (3, S, S), channels red, green, blue: (value / 255 - mean) / std.

    Each of the 256 values a channel can take is computed once, so the result is the same bits on every machine.
    """
    values = np.asarray(image, dtype=np.uint8)  # (S, S, 3)
    levels = np.arange(256, dtype=np.float64) / 255.0
    pixels = np.empty((3, *values.shape[:2]), dtype=np.float32)
    for channel in range(3):
        table = ((levels - mean[channel]) / std[channel]).astype(np.float32)  # (256,)
        np.take(table, values[:, :, channel], out=pixels[channel])
    return pixels


def pixels_sha256(pixels: NDArray[np.float32]) -> str:
    """Fingerprint of pixels (3, S, S): hex SHA-256 of their little-endian bytes, for golden checks."""
    return hashlib.sha256(np.ascontiguousarray(pixels, dtype="<f4").tobytes()).hexdigest()
