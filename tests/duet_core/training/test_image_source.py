"""Images for training and judging: equal to the service's, and cached stages equal to computed ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from duet_core import image_source
from duet_core.augment import CropRange, cut, random_boxes
from duet_core.benchmarks import PhotoCache
from duet_core.image_source import PixelSource, TrunkCache
from duet_core.model.build import build_preprocessing, build_vision
from duet_core.runtime.preprocess import load_rgb
from tests.duet_core.tiny_world import SIZE, TinyWorld


@pytest.mark.parametrize("crop_pct", [1.0, 0.8])
def test_eval_batch_equals_the_services_preprocessing(tiny_world: TinyWorld, crop_pct: float) -> None:
    own = {"vision__mean": [0.4, 0.5, 0.6], "vision__crop_pct": crop_pct, "vision__interpolation": "bilinear"}
    experiment = tiny_world.experiment(vision__frozen_stages=0, **own)
    config = experiment.config.vision
    serve = build_preprocessing(config, build_vision(config), size=SIZE)
    assert serve.resize == int(SIZE / crop_pct)
    rows = torch.tensor([0, 17, 41])
    assert isinstance(experiment.images, PixelSource)
    expected = np.stack([serve(load_rgb(experiment.benchmark.image_paths[row])) for row in rows.tolist()])
    torch.testing.assert_close(experiment.images.eval_batch(rows), torch.from_numpy(expected), rtol=0, atol=1e-6)


def test_train_batch_is_the_normalised_crop(tiny_world: TinyWorld) -> None:
    experiment = tiny_world.experiment(vision__frozen_stages=0)
    rows, data = torch.tensor([3, 30]), experiment.config.data
    batch = experiment.images.train_batch(rows, torch.Generator().manual_seed(1))
    photos = PhotoCache(experiment.benchmark.image_paths, SIZE + 8, tiny_world.folder / "cache" / "photos").open()
    crop = CropRange(scale=data.crop_scale, ratio=data.crop_ratio, flip=data.flip)
    boxes = random_boxes(2, crop, torch.Generator().manual_seed(1))
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = (cut(torch.from_numpy(photos[rows.numpy()]), boxes, SIZE) - mean) / std
    torch.testing.assert_close(batch, expected)


def test_cached_stages_equal_the_trunk_on_the_same_crops(tiny_world: TinyWorld) -> None:
    cached = tiny_world.experiment()
    plain = tiny_world.experiment(vision__frozen_stages=0)
    vision = build_vision(cached.config.vision).eval()
    images, pixels = cached.images, plain.images
    assert isinstance(images, TrunkCache)
    rows, every = torch.from_numpy(cached.benchmark.trainval), torch.arange(len(cached.benchmark.labels))
    with torch.no_grad():
        torch.testing.assert_close(
            images.eval_batch(every), vision.trunk(pixels.eval_batch(every)), rtol=2e-3, atol=2e-3
        )
        views = [
            vision.trunk(pixels.train_batch(rows, torch.Generator().manual_seed(view)))
            for view in range(cached.config.data.views)
        ]
    drawn = torch.randint(len(views), (len(rows),), generator=torch.Generator().manual_seed(9))
    batch = images.train_batch(rows, torch.Generator().manual_seed(9))
    expected = torch.stack([views[view][i] for i, view in enumerate(drawn.tolist())])
    torch.testing.assert_close(batch, expected, rtol=2e-3, atol=2e-3)
    assert set(drawn.tolist()) == {0, 1}
    assert not torch.allclose(views[0], views[1], atol=1e-2)


def test_only_training_photos_have_crops(tiny_world: TinyWorld) -> None:
    experiment = tiny_world.experiment()
    stranger = int(experiment.benchmark.test_unseen[0])
    with pytest.raises(IndexError, match=rf"photo rows \[{stranger}\] are no training photos"):
        experiment.images.train_batch(torch.tensor([0, stranger]), torch.Generator())
    assert experiment.images.eval_batch(torch.tensor([stranger])).shape[0] == 1


def test_the_cache_is_found_again(tiny_world: TinyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tiny_world.experiment().images
    monkeypatch.setattr("duet_core.image_source.trunk_runner", None)
    again = tiny_world.experiment(optimizer__epochs=9).images
    rows = torch.arange(5)
    assert torch.equal(first.eval_batch(rows), again.eval_batch(rows))
    folder = tiny_world.folder / "cache" / "frozen_stages"
    assert {file.suffix for file in folder.iterdir()} == {".npy"}


def test_the_cache_knows_what_it_depends_on(tiny_world: TinyWorld, tmp_path: Path) -> None:
    def key(photos: str = "a.npy", **changes: Any) -> str:
        config = tiny_world.config(**changes)
        return image_source._trunk_key(config, build_vision(config.vision), [Path("anywhere") / photos])

    torch.manual_seed(1)
    save_file(timm.create_model("test_efficientnet", num_classes=0).state_dict(), tmp_path / "other.safetensors")
    keys = [
        key(),
        key(photos="b.npy"),
        key(vision__frozen_stages=1),
        key(vision__arguments={"pad_type": "same"}),
        key(vision__mean=[0.4, 0.4, 0.4]),
        key(vision__weights=str(tmp_path / "other.safetensors")),
        key(data__crop_scale=[0.5, 1.0]),
        key(data__flip=False),
        key(data__photo_side=48),
    ]
    assert len(set(keys)) == len(keys)
    assert key(optimizer__epochs=9, vision__batch_norm=False) == keys[0]


def test_a_broken_build_leaves_nothing_behind(
    tiny_world: TinyWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> torch.Tensor:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("duet_core.image_source.trunk_runner", lambda *_, **__: fail)
    experiment = tiny_world.experiment(data__cache=str(tmp_path))
    with pytest.raises(RuntimeError, match="out of memory"):
        _ = experiment.images
    assert list((tmp_path / "frozen_stages").iterdir()) == []
