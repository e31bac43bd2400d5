"""Where a training step gets its images from: decoded photos, or the cached output of the encoder's frozen stages."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from duet_core.augment import CropRange, cut, random_boxes
from duet_core.benchmarks import Benchmark, PhotoCache
from duet_core.config import TrainConfig, expand
from duet_core.model.frozen_trunk import trunk_runner
from duet_core.model.vision import VisionEncoder
from duet_core.runtime.preprocess import Preprocessing

_LOGGER = logging.getLogger(__name__)
_BUILD_BATCH = 64


class ImageSource(Protocol):
    """Letter key: B images; H the shape of the trunk's output, (3, S, S) when no stage is frozen."""

    def train_batch(self, rows: Tensor, generator: torch.Generator, own: Tensor | None = None) -> Tensor:
        """Randomly cropped images (B, *H) of photo rows (B,), on the device of the run.

        Crops are drawn for all rows, and only those at `own` (b,) are made, when it is given: (b, *H).
        """
        ...

    def eval_batch(self, rows: Tensor) -> Tensor:
        """The images (B, *H) as the service would prepare them."""
        ...


class PixelSource:
    """Images from the decoded photos: crops are cut and normalised on the device of the run."""

    def __init__(
        self,
        *,
        train_photos: NDArray[np.uint8],
        eval_photos: NDArray[np.uint8],
        size: int,
        crop: CropRange,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
    ) -> None:
        """Keep the photos where they are; nothing is computed yet.

        Args:
            train_photos: (N, P, P, 3) RGB, from which training crops are cut.
            eval_photos: (N, S, S, 3) RGB, prepared as the service does.
            size: S, side of the encoder's input in pixels.
            crop: what a training crop may look like.
            mean, std: of a channel, on the 0…1 scale.
            device: of the images given out.
        """
        self._train_photos = train_photos
        self._eval_photos = eval_photos
        self._size = size
        self._crop = crop
        self._device = device
        self._mean = torch.tensor(mean, device=device).view(3, 1, 1)
        self._std = torch.tensor(std, device=device).view(3, 1, 1)

    def _take(self, photos: NDArray[np.uint8], rows: Tensor) -> Tensor:
        return torch.from_numpy(photos[rows.numpy()]).to(self._device)  # (B, S, S, 3)

    def train_batch(self, rows: Tensor, generator: torch.Generator, own: Tensor | None = None) -> Tensor:
        """Normalised random crops (B, 3, S, S), or (b, 3, S, S) of the rows at `own` (b,)."""
        boxes = random_boxes(len(rows), self._crop, generator)
        if own is not None:
            rows, boxes = rows[own], boxes[own]
        boxes = boxes.to(self._device)
        return (cut(self._take(self._train_photos, rows), boxes, self._size) - self._mean) / self._std

    def eval_batch(self, rows: Tensor) -> Tensor:
        """Normalised centre crops (B, 3, S, S), identical to the service's own."""
        photos = self._take(self._eval_photos, rows).permute(0, 3, 1, 2).float() / 255
        return (photos - self._mean) / self._std


class TrunkCache:
    """The frozen stages' output for every photo: once as the service sees it, and for `views` random crops.

    Kept as float16 files, made once, shared by all runs with the same photos, encoder weights and crops.
    A training step then picks one of the cached crops of each photo at random.
    """

    def __init__(
        self,
        *,
        evaluation: NDArray[np.float16],
        crops: NDArray[np.float16],
        crop_rows: Tensor,
        device: torch.device,
        leaked: tuple[NDArray[np.float16], Tensor] | None = None,
    ) -> None:
        """Open a cache.

        Args:
            evaluation: (N, *H) of all photos.
            crops: (n, views, *H) of the training photos.
            crop_rows: (n,) the photo row of each entry of `crops`.
            device: of the images given out.
            leaked: crops (l, views, *H) and rows (l,) of test photos, where a run trains on them to measure that fault.
        """
        self._evaluation = evaluation  # (N, *H)
        self._crops = [crops]  # each (its rows, views, *H)
        self._crop_position = torch.full((len(evaluation),), -1)
        self._crop_position[crop_rows] = torch.arange(len(crop_rows))
        if leaked is not None:
            self._crops.append(leaked[0])
            self._crop_position[leaked[1]] = torch.arange(len(leaked[1])) + len(crop_rows)
        self._device = device

    def train_batch(self, rows: Tensor, generator: torch.Generator, own: Tensor | None = None) -> Tensor:
        """The trunk's output (B, *H) for a cached crop of each row, or (b, *H) of the rows at `own` (b,).

        Raises IndexError for a photo that is not one of the training photos: it has no crops.
        """
        positions = self._crop_position[rows]
        if bool((positions < 0).any()):
            raise IndexError(f"photo rows {rows[positions < 0][:3].tolist()} are no training photos")
        views = torch.randint(self._crops[0].shape[1], (len(rows),), generator=generator)
        if own is not None:
            positions, views = positions[own], views[own]
        return torch.from_numpy(self._pick(positions.numpy(), views.numpy())).to(self._device).float()

    def _pick(self, positions: NDArray[np.int64], views: NDArray[np.int64]) -> NDArray[np.float16]:
        first, *more = self._crops
        if not more:
            return first[positions, views]
        own = positions < len(first)  # (B,) the others lie in the second array
        picked = np.empty((len(positions), *first.shape[2:]), dtype=np.float16)
        picked[own] = first[positions[own], views[own]]
        picked[~own] = more[0][positions[~own] - len(first), views[~own]]
        return picked

    def eval_batch(self, rows: Tensor) -> Tensor:
        """The trunk's output (B, *H) for the centre crop of each row."""
        return torch.from_numpy(self._evaluation[rows.numpy()]).to(self._device).float()


def _write_trunk(
    file: Path, trunk: Callable[[Tensor], Tensor], source: PixelSource, *, rows: Tensor, views: int
) -> None:
    """Fill `file` with the trunk's output of photo `rows` (n,): (n, views, *H), or (n, *H) when views is 0."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    started, output, done, total = time.monotonic(), None, 0, len(rows) * max(views, 1)
    try:
        for view in range(max(views, 1)):
            generator = torch.Generator().manual_seed(view)
            for positions in torch.split(torch.arange(len(rows)), _BUILD_BATCH):
                chunk = rows[positions]
                pixels = source.train_batch(chunk, generator) if views else source.eval_batch(chunk)
                hidden = trunk(pixels).half().cpu().numpy()
                if output is None:
                    shape = (len(rows), views, *hidden.shape[1:]) if views else (len(rows), *hidden.shape[1:])
                    output = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
                where: Any = (positions.numpy(), view) if views else positions.numpy()
                output[where] = hidden
                done += len(chunk)
                if (done // _BUILD_BATCH) % 20 == 0:
                    left = (time.monotonic() - started) / done * (total - done)
                    _LOGGER.info("frozen stages: %d of %d images, %.0f s left", done, total, left)
        assert output is not None
        output.flush()
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def _trunk_key(config: TrainConfig, vision: VisionEncoder, photos: Sequence[Path]) -> str:
    """Changes with the photos, the frozen weights and what is computed with them, the input size and the crops."""
    data = config.data
    digest = hashlib.sha256("".join(photo.name for photo in photos).encode())
    digest.update(json.dumps([data.image_size, data.photo_side, data.crop_scale, data.crop_ratio, data.flip]).encode())
    encoder = config.vision
    settings = [encoder.name, encoder.arguments, vision.frozen_stages, encoder.mean, encoder.std]
    digest.update(json.dumps(settings, sort_keys=True).encode())
    frozen = [tensor for module in vision.trunk_modules() for tensor in module.state_dict().values()]
    for tensor in (*frozen, *vision.trunk_parameters()):
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:24]


@torch.no_grad()
def open_images(
    config: TrainConfig,
    benchmark: Benchmark,
    vision: VisionEncoder,
    preprocessing: Preprocessing,
    *,
    device: torch.device,
) -> ImageSource:
    """The image source of a configuration; caches are made at the first call, with progress on the log.

    Photos to judge are prepared as the service will; training crops are cut from photos scaled the same way.
    """
    data, folder = config.data, expand(config.data.cache)
    caches = [
        PhotoCache(benchmark.image_paths, side, folder / "photos", resize, preprocessing.interpolation)
        for side, resize in ((data.photo_side, None), (preprocessing.size, preprocessing.resize))
    ]
    pixels = PixelSource(
        train_photos=caches[0].open(),
        eval_photos=caches[1].open(),
        size=data.image_size,
        crop=CropRange(scale=data.crop_scale, ratio=data.crop_ratio, flip=data.flip),
        mean=preprocessing.mean,
        std=preprocessing.std,
        device=device,
    )
    if not vision.frozen_stages:
        return pixels
    key = _trunk_key(config, vision, [cache.file for cache in caches])
    if data.layout == "folder":  # whose split may be drawn anew on the same photos, and crops are of training photos
        key = hashlib.sha256(key.encode() + benchmark.trainval.tobytes()).hexdigest()[:24]
    parts = [
        (f"{key}-0.npy", torch.arange(len(benchmark.image_paths)), 0),
        (f"{key}-{data.views}.npy", torch.from_numpy(benchmark.trainval), data.views),
    ]
    if config.sampling.partner_pool == "train_and_test_seen":
        parts.append((f"{key}-{data.views}-test_seen.npy", torch.from_numpy(benchmark.test_seen), data.views))
    files = [folder / "frozen_stages" / name for name, _, _ in parts]
    if not all(file.exists() for file in files):
        trunk = trunk_runner(vision, size=data.image_size, device=device)
        for file, (_, rows, views) in zip(files, parts, strict=True):
            if not file.exists():
                _write_trunk(file, trunk, pixels, rows=rows, views=views)
    evaluation, crops, *leaked = (np.load(file, mmap_mode="r", allow_pickle=False) for file in files)
    return TrunkCache(
        evaluation=evaluation,
        crops=crops,
        crop_rows=parts[1][1],
        device=device,
        leaked=(leaked[0], parts[2][1]) if leaked else None,
    )
