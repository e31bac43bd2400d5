"""Cached crops of a folder of one's own belong to its split, which may be drawn anew on the same photos."""

from __future__ import annotations

from pathlib import Path

import torch

from duet_core.benchmarks.folder_reading import read_folder
from duet_core.benchmarks.folder_split import write_split
from duet_core.benchmarks.image_folder import draw_split
from tests.duet_core.benchmarks import tiny_folder
from tests.duet_core.tiny_world import TinyWorld


def test_another_split_of_the_same_photos_has_crops_of_its_own(tiny_world: TinyWorld, tmp_path: Path) -> None:
    root = tiny_folder.write(tmp_path / "own")
    made = {"data__root": str(root), "data__layout": "folder", "data__cache": str(tmp_path / "cache")}
    crops = []
    for seed in (0, 1, 0):
        write_split(root, draw_split(read_folder(root), seed=seed))
        experiment = tiny_world.experiment(**made)
        rows = torch.from_numpy(experiment.benchmark.trainval)
        crops.append((rows, experiment.images.train_batch(rows, torch.Generator().manual_seed(0))))
    (first, one), (second, other), (third, again) = crops
    assert not torch.equal(first, second)
    assert torch.equal(first, third)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert len(list((tmp_path / "cache" / "frozen_stages").glob("*-2.npy"))) == 2
