"""The training loop: it learns, resumes bit-equal, accumulates exactly, and moves only what it should."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from duet_core.checkpoint import CheckpointError
from duet_core.commands.train import _start_processes
from duet_core.config import ConfigError
from duet_core.experiment import Experiment
from duet_core.image_source import ImageSource
from duet_core.processes import Processes
from duet_core.trainer import Trainer, build_schedule, parameter_groups
from tests.duet_core.tiny_world import TinyWorld
from tests.duet_core.training.gradients import gradients_of

CPU = torch.device("cpu")


def trainer(experiment: Experiment, folder: Path, *, images: ImageSource | None = None, **more: Any) -> Trainer:
    split = experiment.split("test")
    planner = experiment.planner(split)
    return Trainer(
        task=experiment.build_task(split, planner, seed=0),
        planner=planner,
        images=images or experiment.images,
        config=experiment.config,
        seed=0,
        folder=folder,
        device=CPU,
        **more,
    )


def assert_same(first: Any, second: Any, where: str = "") -> None:
    """Equal to the last bit, whatever is inside."""
    assert type(first) is type(second), where
    if isinstance(first, Tensor):
        assert torch.equal(first, second), where
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key in first:
            assert_same(first[key], second[key], f"{where}.{key}")
    elif isinstance(first, list | tuple):
        assert len(first) == len(second), where
        for row, pair in enumerate(zip(first, second, strict=True)):
            assert_same(*pair, f"{where}[{row}]")
    else:
        assert first == second, where


def checkpoint_of(made: Trainer) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(made.checkpoint, weights_only=True)
    del state["seconds"]
    return state


def log_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def events_of(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of every scalar that TensorBoard shows of a run."""
    board = EventAccumulator(str(folder)).Reload()
    return {name: [(event.step, event.value) for event in board.Scalars(name)] for name in board.Tags()["scalars"]}


def test_the_loss_falls(tiny_world: TinyWorld, tmp_path: Path) -> None:
    made = trainer(tiny_world.experiment(optimizer__epochs=12, sampling__rho=0.3), tmp_path)
    made.fit()
    rows = log_of(tmp_path)
    assert [int(row["step"]) for row in rows] == list(range(made.steps)) == list(range(72))
    assert {row["stage"] for row in rows} == {"CLS", "CSG"}
    cc = [float(row["cc"]) for row in rows]
    assert sum(cc[-6:]) < 0.7 * sum(cc[:6])
    cmr = [float(row["cmr"]) for row in rows if row["cmr"]]
    assert sum(cmr[-6:]) < 0.7 * sum(cmr[:6])
    assert made.seconds > 0
    assert list(tmp_path.glob("events.out.tfevents.*"))


@pytest.mark.parametrize("stop", [1, 7, 10])
def test_a_resumed_run_is_bit_equal_to_an_unbroken_one(tiny_world: TinyWorld, tmp_path: Path, stop: int) -> None:
    experiment = tiny_world.experiment(sampling__rho=0.5)
    whole = trainer(experiment, tmp_path / "whole")
    whole.fit()
    trainer(experiment, tmp_path / "broken").fit(stop_after=stop)
    assert torch.load(tmp_path / "broken" / "checkpoint.pt", weights_only=True)["step"] == stop
    torch.manual_seed(99)  # what another process would have drawn meanwhile
    again = trainer(experiment, tmp_path / "broken")
    again.fit()
    assert_same(checkpoint_of(whole), checkpoint_of(again))
    assert [row["step"] for row in log_of(tmp_path / "broken")] == [row["step"] for row in log_of(tmp_path / "whole")]


def test_a_run_killed_between_checkpoints_tells_each_step_once(
    tiny_world: TinyWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = tiny_world.experiment(run__checkpoint_every=5)
    whole = trainer(experiment, tmp_path / "whole")
    whole.fit()
    unbroken = Trainer._step
    for killed_at in (3, 8):  # before the first checkpoint, and after the one at step 5
        broken = trainer(experiment, tmp_path / "broken")

        def step(self: Trainer, number: int, *rest: Any, last: int = killed_at) -> dict[str, Tensor]:
            if number == last:
                raise KeyboardInterrupt
            return unbroken(self, number, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_step", step)
            with pytest.raises(KeyboardInterrupt):
                broken.fit()
        with (tmp_path / "broken" / "log.csv").open("a") as file:
            file.write(f"{killed_at},CL")  # the row it was writing when it was killed
    trainer(experiment, tmp_path / "broken").fit()
    assert log_of(tmp_path / "broken") == log_of(tmp_path / "whole")
    assert events_of(tmp_path / "broken") == events_of(tmp_path / "whole")
    assert len(events_of(tmp_path / "whole")["lr/new"]) == 12


def test_the_log_has_the_learning_rate_of_each_part(tiny_world: TinyWorld, tmp_path: Path) -> None:
    experiment = tiny_world.experiment(
        optimizer__schedule="constant",
        optimizer__lr_vision=0.001,
        optimizer__lr_language=0.002,
        optimizer__lr_cross_modal=0.003,
        optimizer__lr_new=0.004,
    )
    trainer(experiment, tmp_path).fit(stop_after=2)
    parts = ("lr_vision", "lr_language", "lr_cross_modal", "lr_new")
    assert [[row[part] for part in parts] for row in log_of(tmp_path)] == [["0.001", "0.002", "0.003", "0.004"]] * 2


def test_accumulating_runs_stop_between_groups_and_resume_bit_equal(tiny_world: TinyWorld, tmp_path: Path) -> None:
    experiment = tiny_world.experiment(
        optimizer__accumulation=5, optimizer__schedule="constant", run__checkpoint_every=6
    )
    whole = trainer(experiment, tmp_path / "whole")
    whole.fit()
    assert whole.steps == 12
    trainer(experiment, tmp_path / "broken").fit(stop_after=4)
    assert torch.load(tmp_path / "broken" / "checkpoint.pt", weights_only=True)["step"] == 5
    again = trainer(experiment, tmp_path / "broken")
    again.fit()
    assert_same(checkpoint_of(whole), checkpoint_of(again))


def test_checkpoints_fall_at_the_end_of_groups(
    tiny_world: TinyWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trainer(
        tiny_world.experiment(optimizer__accumulation=5, optimizer__schedule="constant", run__checkpoint_every=6),
        tmp_path,
    )
    kept: list[int] = []
    monkeypatch.setattr(made, "_save", kept.append)
    made.fit()
    assert kept == [10, 12, 12]  # groups end at 5, 10 and 12; 6 and 12 are reached in the last two; then the end


def test_accumulated_gradients_are_those_of_the_large_batch(tiny_world: TinyWorld, tmp_path: Path) -> None:
    large = gradients_of(tiny_world, tmp_path, size=10, group=1)
    small = gradients_of(tiny_world, tmp_path, size=5, group=2)
    # 25 photos: 10 + 10 + 5 against (5 + 5) + (5 + 5) + 5, the last group short and divided by its own size
    assert len(large) == len(small) == 3
    for expected, got in zip(large, small, strict=True):
        assert len(expected) == len(got) > 10
        for a, b in zip(expected, got, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.fixture
def one_process(tmp_path: Path) -> Iterator[None]:
    """A process group of this process alone."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("one_process")
def test_processes_exchange_gradients_once_a_group(tiny_world: TinyWorld, tmp_path: Path) -> None:
    experiment = tiny_world.experiment(
        optimizer__batch_size=2, optimizer__accumulation=3, optimizer__epochs=1, optimizer__schedule="constant"
    )
    made = trainer(experiment, tmp_path)
    made._forward = DistributedDataParallel(made.task, find_unused_parameters=True)
    exchanged: list[bool] = []
    made._forward.register_forward_pre_hook(lambda model, _: exchanged.append(bool(model.require_backward_grad_sync)))
    made.fit()
    assert exchanged == [(step + 1) % 3 == 0 or step + 1 == made.steps for step in range(made.steps)]
    assert exchanged.count(False) >= 4


def test_each_process_has_its_own_device_before_nccl_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, Any]] = []
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.set_device", lambda device: calls.append(("device", device)))
    monkeypatch.setattr("torch.distributed.init_process_group", lambda kind: calls.append(("group", kind)))
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 3)
    assert _start_processes() == (Processes(rank=3, world=4, local=3), torch.device("cuda:3"))
    assert calls == [("device", 3), ("group", "nccl")]


def test_parameter_groups_by_part_and_decay(tiny_world: TinyWorld) -> None:
    experiment = tiny_world.experiment(
        language__frozen_layers=1,
        optimizer__lr_vision=0.1,
        optimizer__lr_language=0.2,
        optimizer__lr_cross_modal=0.3,
        optimizer__lr_new=0.4,
        optimizer__weight_decay=0.05,
    )
    split = experiment.split("test")
    model = experiment.build_task(split, experiment.planner(split), seed=0).model
    groups = parameter_groups(model, experiment.config.optimizer)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {"vision": 0.1, "language": 0.2, "cross_modal": 0.3}
    norms = [module for module in model.modules() if isinstance(module, nn.LayerNorm | nn.BatchNorm1d | nn.BatchNorm2d)]
    free = {id(parameter) for norm in norms for parameter in norm.parameters(recurse=False)}
    seen = []
    for group in groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            seen.append(name)
            assert group["lr"] == rates.get(name.split(".")[0], 0.4), name
            is_exempt = id(parameter) in free or name.endswith("bias")
            assert group["weight_decay"] == (0.0 if is_exempt else 0.05), name
    assert sorted(seen) == sorted(name for name, parameter in model.named_parameters() if parameter.requires_grad)
    assert not [name for name in seen if "blocks.0" in name or "embeddings" in name or "layer.0" in name]


def test_schedules(tiny_world: TinyWorld) -> None:
    for schedule, expected in (("constant", [1.0] * 10), ("one_cycle", None)):
        config = tiny_world.config(optimizer__schedule=schedule, optimizer__warmup=0.3).optimizer
        optimizer = torch.optim.AdamW([{"params": [nn.Parameter(torch.zeros(1))], "lr": 1.0}])
        made, rates = build_schedule(optimizer, config, updates=10), []
        for _ in range(10):
            rates.append(float(made.get_last_lr()[0]))
            optimizer.step()
            made.step() if len(rates) < 10 else None
        if expected is None:
            assert max(rates) == pytest.approx(1.0)
            assert rates.index(max(rates)) == 2
            assert rates[-1] < 1e-4 < rates[0] < 0.1
        else:
            assert rates == expected


def test_one_cycle_needs_updates_to_rise_and_fall(tiny_world: TinyWorld, tmp_path: Path) -> None:
    optimizer = torch.optim.AdamW([{"params": [nn.Parameter(torch.zeros(1))], "lr": 1.0}])
    for updates, warmup, allowed in ((1, 0.2, False), (4, 0.3, False), (5, 0.2, False), (5, 0.4, True), (6, 0.2, True)):
        config = tiny_world.config(optimizer__warmup=warmup).optimizer
        if allowed:
            assert build_schedule(optimizer, config, updates=updates).get_last_lr()[0] > 0
        else:
            with pytest.raises(ConfigError, match=rf"optimizer\.schedule: .* over {updates} updates.*=constant"):
                build_schedule(optimizer, config, updates=updates)
    with pytest.raises(ConfigError, match="over 3 updates"):
        trainer(tiny_world.experiment(optimizer__accumulation=4), tmp_path)
    assert trainer(tiny_world.experiment(optimizer__accumulation=4, optimizer__schedule="constant"), tmp_path)


def test_a_checkpoint_of_another_run_is_refused_by_field(tiny_world: TinyWorld, tmp_path: Path) -> None:
    trainer(tiny_world.experiment(), tmp_path).fit(stop_after=1)
    for change, field in (
        ({"loss__lambda_cmr": 2.0}, r"loss\.lambda_cmr changed"),
        ({"optimizer__epochs": 3, "data__flip": False}, r"data\.flip, optimizer\.epochs changed"),
        ({"variant": "vision_only"}, "variant changed"),
    ):
        with pytest.raises(CheckpointError, match=field):
            trainer(tiny_world.experiment(**change), tmp_path).fit()
    trainer(tiny_world.experiment(run__log_every=5, run__seeds=[4]), tmp_path).fit(stop_after=1)


def test_a_finished_run_is_not_trained_again(tiny_world: TinyWorld, tmp_path: Path) -> None:
    experiment = tiny_world.experiment(optimizer__epochs=1)
    first = trainer(experiment, tmp_path)
    first.fit()
    before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    again = trainer(experiment, tmp_path)
    again.fit()
    assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
    assert_same(first.task.state_dict(), again.task.state_dict())
    assert again.seconds == pytest.approx(first.seconds, abs=0.1)


@pytest.mark.parametrize("training", [True, False])
def test_prediction_restores_the_mode_and_is_in_evaluation_mode(tiny_world: TinyWorld, training: bool) -> None:
    experiment = tiny_world.experiment()
    split = experiment.split("test")
    task = experiment.build_task(split, experiment.planner(split), seed=0).train(training)
    statistics = {key: value.clone() for key, value in task.state_dict().items()}
    rows = split.unseen_eval
    v = experiment.predict(task, rows)
    assert task.training == training
    assert v.shape == (len(rows), 4)
    assert all(torch.equal(value, statistics[key]) for key, value in task.state_dict().items())
    torch.testing.assert_close(
        torch.from_numpy(experiment.predict(task, rows[:3])), torch.from_numpy(v[:3]), rtol=1e-4, atol=1e-5
    )


def test_the_trunk_stays_in_evaluation_mode_while_training(tiny_world: TinyWorld, tmp_path: Path) -> None:
    made = trainer(tiny_world.experiment(optimizer__epochs=1), tmp_path)
    vision = made.task.get_submodule("model.vision")
    before = {key: value.clone() for key, value in vision.state_dict().items()}
    made.fit(stop_after=2)
    changed = {key for key, value in vision.state_dict().items() if not torch.equal(value, before[key])}
    frozen = ("network.conv_stem", "network.bn1", "network.blocks.0", "network.blocks.1")
    assert changed
    assert not [key for key in changed if key.startswith(frozen)]


def test_a_step_of_several_processes_is_that_of_one_with_their_batch(tiny_world: TinyWorld, tmp_path: Path) -> None:
    single = trainer(tiny_world.experiment(optimizer__batch_size=8), tmp_path / "one")
    made = trainer(tiny_world.experiment(optimizer__batch_size=4), tmp_path / "two")
    made._begun = 2
    assert all(torch.equal(a, b) for a, b in zip(made._epoch(0), single._epoch(0), strict=True))
    assert made.steps == 2 * single.steps  # as laid out for a single process


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, r"4 anchors, 4 of them with a sentence, which 9 processes cannot share; allowed are 1…4"),
        ({"sampling__csg_anchors": 2}, r"4 anchors, 2 of them with a sentence, .* allowed are 1…2 \(begun with 1"),
    ],
)
def test_more_processes_than_a_step_has_anchors_are_refused(
    tiny_world: TinyWorld, tmp_path: Path, changes: dict[str, int], said: str
) -> None:
    made = trainer(tiny_world.experiment(optimizer__batch_size=4, **changes), tmp_path)
    made._processes = Processes(rank=0, world=9)
    with pytest.raises(ValueError, match=said):
        made._check_shares(4)


def test_a_run_of_several_processes_of_an_earlier_version_is_refused(tiny_world: TinyWorld, tmp_path: Path) -> None:
    experiment = tiny_world.experiment()
    made = trainer(experiment, tmp_path)
    made.fit(stop_after=1)
    state = torch.load(made.checkpoint, weights_only=True)
    del state["begun"]
    torch.save(state, made.checkpoint)
    trainer(experiment, tmp_path).fit(stop_after=1)  # of a single process it goes on
    torch.save(state | {"world": 2}, made.checkpoint)
    with pytest.raises(CheckpointError, match="written by 2 processes of an earlier version"):
        trainer(experiment, tmp_path)
