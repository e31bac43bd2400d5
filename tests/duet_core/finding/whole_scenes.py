"""Whole photos of blotches of colour, and crops of a benchmark cut out of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from duet_core.benchmarks import Benchmark

SCENE, BOX = (340, 256), (95, 53, 245, 173)


def clouds(noise: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Smooth blotches of colour, as in no other picture."""
    small = noise.integers(0, 256, (7, 9, 3)).astype(np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def write_scene(folder: Path, crop: Path, noise: np.random.Generator) -> None:
    """A whole photo <class>/<photo>.jpg in `folder`, and the crop that is cut out of it and stretched."""
    file = folder.joinpath(*crop.parts[-2:])
    file.parent.mkdir(parents=True, exist_ok=True)
    scene = clouds(noise, SCENE)
    scene.save(file, quality=95)
    scene.crop(BOX).resize((90, 90), Image.Resampling.BICUBIC).save(crop, quality=95)


def write_scenes(folder: Path, benchmark: Benchmark, rows: Iterable[int]) -> Path:
    """A whole photo for each of these rows, whose crops are written anew; returns the folder."""
    noise = np.random.default_rng(1)
    for row in rows:
        write_scene(folder, benchmark.image_paths[row], noise)
    return folder
