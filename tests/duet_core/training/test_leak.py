"""The leak of the authors' code, as an experiment: whose photos it draws, that it says so, that nothing is served."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from duet_core import cli
from duet_core.config import ConfigError
from duet_core.experiment import Experiment
from duet_core.image_source import TrunkCache
from tests.duet_core.tiny_world import TinyWorld

LEAK: dict[str, Any] = {"sampling__partner_pool": "train_and_test_seen"}


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("stage", ["CLS", "CSG"])
def test_partners_come_from_judged_photos_too_and_anchors_do_not(
    tiny_world: TinyWorld, split: str, stage: str, caplog: pytest.LogCaptureFixture
) -> None:
    experiment = tiny_world.experiment(**LEAK)
    parts = experiment.split(split)
    with caplog.at_level(logging.WARNING):
        made = experiment.planner(parts)
    assert "LEAK: sampling.partner_pool is train_and_test_seen" in caplog.text
    every, anchors, partners = torch.arange(len(parts.train)), set[int](), set[int]()
    for seed in range(30):
        plan = made.plan(every, stage, torch.Generator().manual_seed(seed))  # type: ignore[arg-type]
        anchors |= set(plan.photos[: plan.anchors].tolist())
        partners |= set(plan.photos[plan.anchors :].tolist())
        truth = experiment.benchmark.labels[plan.photos.numpy()]
        assert parts.seen_classes[plan.label.numpy()].tolist() == truth.tolist()
    assert anchors == set(parts.train.tolist())
    assert partners == {*parts.train.tolist(), *parts.seen_eval.tolist()}


def test_nothing_is_said_and_nothing_leaks_by_default(tiny_world: TinyWorld, caplog: pytest.LogCaptureFixture) -> None:
    experiment = tiny_world.experiment()
    with caplog.at_level(logging.WARNING):
        experiment.planner(experiment.split("test"))
    assert not caplog.records


def test_crops_of_leaked_photos_lie_beside_the_others(tiny_world: TinyWorld) -> None:
    honest, leaking = tiny_world.experiment(), tiny_world.experiment(**LEAK)
    first, second = honest.images, leaking.images
    assert isinstance(first, TrunkCache)
    assert isinstance(second, TrunkCache)
    benchmark = honest.benchmark
    train, test = torch.from_numpy(benchmark.trainval), torch.from_numpy(benchmark.test_seen)
    mixed = torch.cat([test[:2], train[:3], test[2:4]])
    batch = second.train_batch(mixed, torch.Generator().manual_seed(3))
    pixels = tiny_world.experiment(**LEAK, vision__frozen_stages=0).images
    views = torch.randint(2, (len(mixed),), generator=torch.Generator().manual_seed(3)).tolist()
    for row, (photo, view) in enumerate(zip(mixed.tolist(), views, strict=True)):
        rows = test if photo in test.tolist() else train
        with torch.no_grad():  # the crops of the view, of all photos of its file
            crops = pixels.train_batch(rows, torch.Generator().manual_seed(view))
            expected = trunk_of(leaking, crops)[rows.tolist().index(photo)]
        torch.testing.assert_close(batch[row], expected, rtol=2e-3, atol=2e-3)
    drawn = [made.train_batch(train, torch.Generator().manual_seed(5)) for made in (first, second)]
    assert torch.equal(drawn[0], drawn[1])
    with pytest.raises(IndexError, match="are no training photos"):
        first.train_batch(test[:1], torch.Generator())
    with pytest.raises(IndexError, match="are no training photos"):
        second.train_batch(torch.from_numpy(benchmark.test_unseen)[:1], torch.Generator())


def trunk_of(experiment: Experiment, crops: torch.Tensor) -> torch.Tensor:
    from duet_core.model.build import build_vision

    return build_vision(experiment.config.vision).eval().trunk(crops)


def test_such_a_model_is_neither_exported_nor_calibrated(
    tiny_world: TinyWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tiny_world.write_recipe(tmp_path / "leak.yaml", **LEAK)
    for words in (["calibrate", str(recipe)], ["export", str(recipe), "--out", str(tmp_path / "bundle")]):
        assert cli.main(words) == 2
        assert "sampling.partner_pool: got 'train_and_test_seen'; allowed is 'train'" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()
    recipe = tiny_world.write_recipe(tmp_path / "probs.yaml", loss__gamma_on="probs")
    assert cli.main(["export", str(recipe), "--out", str(tmp_path / "bundle")]) == 2
    assert "loss.gamma_on: got 'probs'; allowed is 'logits'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (LEAK | {"variant": "vision_only"}, "sampling.partner_pool"),
        (LEAK | {"loss__lambda_acl": 0, "sampling__positives": "in_batch"}, "sampling.partner_pool"),
        ({"optimizer__bf16": False, "optimizer__bf16_on_cpu": True}, "optimizer.bf16_on_cpu"),
        ({"loss__acl_normalise": False, "loss__lambda_acl": 0}, "loss.acl_normalise"),
        ({"vision__visual_token": "logits", "cross_modal__visual_input": "patches"}, "vision.visual_token"),
    ],
)
def test_switches_that_contradict_each_other_are_named(
    tiny_world: TinyWorld, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        tiny_world.config(**changes)
    assert [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]] == [field]
