"""The moving average of the weights: its formula, its place in a run, and who is judged by it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from duet_core.config import ConfigError
from duet_core.weight_average import WeightAverage, judged_weights
from tests.duet_core.tiny_world import TinyWorld
from tests.duet_core.training.test_trainer import assert_same, checkpoint_of, trainer


def small_model() -> tuple[nn.Module, nn.Linear, nn.BatchNorm1d, nn.Linear]:
    """A model and its layers, of which the last is frozen."""
    torch.manual_seed(0)
    first, norm, last = nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1)
    last.requires_grad_(False)
    return nn.Sequential(first, norm, last), first, norm, last


def test_it_is_the_formula() -> None:
    """Against a slow loop over single numbers, through the warm-up of d and beyond it."""
    model, first, norm, last = small_model()
    average = WeightAverage(model, 0.6)
    weights, buffer = first.weight.data, norm.running_mean
    assert buffer is not None
    expected = [float(weights[1, 2]), float(buffer[0])]
    for update in range(12):
        weights += torch.randn_like(weights)
        buffer += 1.0
        decay = min(0.6, (1 + update) / (10 + update))
        now = [float(weights[1, 2]), float(buffer[0])]
        expected = [decay * old + (1 - decay) * new for old, new in zip(expected, now, strict=True)]
        average.update()
    frozen = last.weight.clone()
    average.give()
    assert [float(weights[1, 2]), float(buffer[0])] == pytest.approx(expected, rel=1e-5)
    assert torch.equal(last.weight, frozen)


def test_what_is_frozen_or_no_number_is_left_out() -> None:
    names = WeightAverage(small_model()[0], 0.9).state()["weights"]
    assert isinstance(names, dict)
    assert set(names) == {"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"}


@pytest.mark.parametrize("stop", [1, 7])
def test_a_resumed_run_has_the_average_of_an_unbroken_one(tiny_world: TinyWorld, tmp_path: Path, stop: int) -> None:
    experiment = tiny_world.experiment(sampling__rho=0.5, optimizer__average=0.8)
    whole = trainer(experiment, tmp_path / "whole")
    whole.fit()
    trainer(experiment, tmp_path / "broken").fit(stop_after=stop)
    again = trainer(experiment, tmp_path / "broken")
    again.fit()
    assert_same(checkpoint_of(whole), checkpoint_of(again))
    assert_same(whole.task.state_dict(), again.task.state_dict())


def test_a_run_is_judged_by_its_average(tiny_world: TinyWorld, tmp_path: Path) -> None:
    """The model after training, the one loaded from the checkpoint, and the state a bundle is made of are one."""
    experiment = tiny_world.experiment(optimizer__average=0.8)
    split = experiment.split("test")
    folder = tmp_path / "test" / "seed0"
    trained, _ = experiment.train(split, seed=0, folder=folder)
    loaded, _ = experiment.load(split, seed=0, folder=folder)
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert_same(trained.state_dict(), loaded.state_dict())
    assert_same(dict(trained.model.state_dict()), dict(judged_weights(state)))
    moved = [name for name, value in state["model"].items() if not torch.equal(value, judged_weights(state)[name])]
    assert any("weight" in name for name in moved)
    finished = trainer(experiment, folder)
    finished.fit()  # nothing left to train
    assert_same(finished.task.state_dict(), trained.state_dict())


def test_without_it_the_last_weights_are_judged(tiny_world: TinyWorld, tmp_path: Path) -> None:
    made = trainer(tiny_world.experiment(), tmp_path)
    made.fit()
    state = checkpoint_of(made)
    assert "average" not in state
    assert judged_weights(state) is state["model"]


def test_training_goes_the_same_way_with_and_without(tiny_world: TinyWorld, tmp_path: Path) -> None:
    plain, averaged = (
        trainer(tiny_world.experiment(**more), tmp_path / name)
        for name, more in (("plain", {}), ("averaged", {"optimizer__average": 0.9}))
    )
    plain.fit()
    averaged.fit()
    assert_same(checkpoint_of(plain)["model"], checkpoint_of(averaged)["model"])


def test_a_decay_of_one_is_refused(tiny_world: TinyWorld) -> None:
    with pytest.raises(ConfigError, match=r"optimizer.average: got 1.0; allowed is 0 to below 1, such as 0.99"):
        tiny_world.config(optimizer__average=1.0)
