"""The commands of training, end to end on the tiny benchmark: what is finished is read and never made again."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from duet_core import cli, protocol
from duet_core.config_file import load_config
from duet_core.evaluation import evaluate
from duet_core.experiment import Experiment
from duet_core.record import Record
from duet_core.trainer import Trainer
from tests.duet_core.tiny_world import TinyWorld


@dataclass(frozen=True)
class Runs:
    """A finished `duet train` of the tiny recipe."""

    recipe: Path
    out: Path
    printed: list[str]


@pytest.fixture(scope="module")
def runs(tiny_world: TinyWorld, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    recipe = tiny_world.write_recipe(folder / "tiny.yaml", run__seeds=[0, 1], run__validation_seeds=[0, 1])
    out = folder / "runs" / "duet"
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("builtins.print", lambda text, **_: printed.append(text))
        assert cli.main(["train", str(recipe), "--out", str(out)]) == 0
    return Runs(recipe, out, printed)


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any step of training fails the test."""

    def step(*_: object) -> None:
        raise AssertionError("a step was trained")

    monkeypatch.setattr(Trainer, "_step", step)


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def test_validation_comes_first_then_test_by_the_mean_gamma(runs: Runs) -> None:
    assert [line.split(":")[0] for line in runs.printed] == [
        "duet validation seed 0",
        "duet validation seed 1",
        "duet test seed 0",
        "duet test seed 1",
    ]
    records = {(split, seed): Record.read(runs.out / split / f"seed{seed}" / "record.json")
               for split in ("validation", "test") for seed in (0, 1)}  # fmt: skip
    calibration = read(runs.out / "calibration.json")
    gammas = [records["validation", seed].metrics["gamma"] for seed in (0, 1)]
    assert calibration["gamma"] == pytest.approx(np.mean(gammas))
    assert gammas[0] != gammas[1]
    for seed in (0, 1):
        assert records["test", seed].metrics["gamma"] == calibration["gamma"]
        assert all(0 <= records["test", seed].metrics[name] <= 1 for name in ("T1", "U", "S", "H", "AUSUC"))
        assert records["test", seed].seconds > 0
    assert records["test", 0].photos["train"].startswith("25 photos, sha256 ")
    assert records["validation", 0].photos["train"].startswith("12 photos, sha256 ")
    assert not list(runs.out.rglob("*.tmp"))


def test_the_record_is_what_evaluation_says_of_the_checkpoint(runs: Runs, tiny_world: TinyWorld) -> None:
    experiment = Experiment(tiny_world.config(), device=torch.device("cpu"))
    split = experiment.split("test")
    task, _ = experiment.train(split, seed=1, folder=runs.out / "test" / "seed1")
    record = Record.read(runs.out / "test" / "seed1" / "record.json")
    again = evaluate(gamma=record.metrics["gamma"], **experiment.judged(task, split)).to_json()
    assert again == pytest.approx(record.metrics)


@pytest.mark.usefixtures("no_training")
def test_the_second_call_reads_and_trains_nothing(
    runs: Runs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged(*_: object) -> None:
        raise AssertionError("photos were judged again")

    monkeypatch.setattr(Experiment, "judged", judged)
    before = {file: file.stat().st_mtime_ns for file in runs.out.rglob("*")}
    assert cli.main(["train", str(runs.recipe), "--out", str(runs.out)]) == 0
    assert capsys.readouterr().out.splitlines() == runs.printed
    assert {file: file.stat().st_mtime_ns for file in runs.out.rglob("*")} == before


@pytest.mark.usefixtures("no_training")
def test_results_of_another_recipe_are_not_passed_off(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", str(runs.recipe), "--out", str(runs.out), "--set", "loss.lambda_cmr=3"]
    assert cli.main(words) == 2
    assert re.search(r"record\.json is of another recipe: loss\.lambda_cmr changed", capsys.readouterr().err)


@pytest.mark.usefixtures("no_training")
def test_validate_only_leaves_test_photos_alone(
    runs: Runs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "judge_test", None)
    assert cli.main(["train", str(runs.recipe), "--out", str(runs.out), "--validate-only"]) == 0
    assert capsys.readouterr().out.splitlines() == runs.printed[:2]


@pytest.mark.usefixtures("no_training")
def test_evaluate_judges_validation_again_and_reads_test(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("validation", "test"):
        words = ["evaluate", str(runs.recipe), "--runs", str(runs.out), "--split", split, "--seed", "1"]
        assert cli.main(words) == 0
        metrics = Record.read(runs.out / split / "seed1" / "record.json").metrics
        line = capsys.readouterr().out
        for name in ("T1", "U", "S", "H", "AUSUC"):
            assert f"{name} {100 * metrics[name]:.2f}" in line
        assert f"γ {metrics['gamma']:.4f}" in line
    assert cli.main(["evaluate", str(runs.recipe), "--runs", str(runs.out), "--seed", "7"]) == 2
    assert "no finished run" in capsys.readouterr().err


@pytest.mark.usefixtures("no_training")
def test_calibrate_fits_again_from_finished_runs(
    runs: Runs, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = read(runs.out / "calibration.json")
    words = ["calibrate", str(runs.recipe), "--runs", str(runs.out), "--set", "run.false_reject_rate=0.5"]
    assert cli.main(words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == read(runs.out / "calibration.json")
    assert printed["false_reject_rate"] == 0.5
    assert printed["threshold"] > before["threshold"]
    assert printed["gamma"] == pytest.approx(before["gamma"])
    assert cli.main(["train", str(runs.recipe), "--out", str(runs.out), "--validate-only"]) == 0  # at 0.05 again
    assert read(runs.out / "calibration.json") == {name: pytest.approx(value) for name, value in before.items()}
    capsys.readouterr()
    assert cli.main(["calibrate", str(runs.recipe), "--runs", str(tmp_path / "none")]) == 2
    assert "no finished run" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("command", ["evaluate", "calibrate"])
def test_a_finished_run_without_its_checkpoint_is_not_trained_again(
    runs: Runs, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    shutil.copytree(runs.out, out)
    (out / "validation" / "seed0" / "checkpoint.pt").unlink()
    assert cli.main([command, str(runs.recipe), "--runs", str(out)]) == 2
    said = capsys.readouterr().err
    assert f"{out}/validation/seed0/checkpoint.pt is missing" in said
    assert f"duet train {runs.recipe} --out {out}" in said
    assert not (out / "validation" / "seed0" / "checkpoint.pt").exists()


def test_runs_of_several_processes_are_judged_by_one(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    shutil.copytree(runs.out, out)
    file = out / "validation" / "seed0" / "checkpoint.pt"
    torch.save(torch.load(file, weights_only=True) | {"world": 2}, file)
    assert cli.main(["evaluate", str(runs.recipe), "--runs", str(out)]) == 0
    metrics = Record.read(out / "validation" / "seed0" / "record.json").metrics
    assert f"H {100 * metrics['H']:.2f}" in capsys.readouterr().out


def test_baseline_is_fitted_once_and_its_figures_are_those_of_eszsl(
    runs: Runs, tiny_world: TinyWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = runs.out.parent / "eszsl"
    assert cli.main(["baseline", str(runs.recipe), "--out", str(out)]) == 0
    first = capsys.readouterr().out
    record = Record.read(out / "test" / "seed0" / "record.json")
    assert record.row == "eszsl"
    assert set(record.recipe["ridge"]) == {"gamma_ridge", "lambda_ridge"}
    assert record.photos == protocol.photo_sets(tiny_world.experiment().split("test"))
    monkeypatch.setattr("duet_core.baselines.select_eszsl", None)
    assert cli.main(["baseline", str(runs.recipe), "--out", str(out)]) == 0
    assert capsys.readouterr().out == first
    other = tiny_world.write_recipe(runs.recipe.with_name("other.yaml"), vision__frozen_stages=1)
    assert cli.main(["baseline", str(other), "--out", str(out)]) == 2
    assert "vision.frozen_stages changed" in capsys.readouterr().err


def write_records(folder: Path, row: str, split: str, h: list[float]) -> None:
    for seed, value in enumerate(h):
        metrics = dict.fromkeys(("T1", "U", "S", "AUSUC"), 0.5) | {"H": value, "gamma": 0.1}
        Record(
            row=row, split=split, seed=seed, metrics=metrics, seconds=90.0, photos={}, unseen=2, recipe={}
        ).write(folder / row / split / f"seed{seed}" / "record.json")  # fmt: skip


def test_results_are_mean_and_deviation_over_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_records(tmp_path, "duet", "test", [0.61, 0.62, 0.66])
    write_records(tmp_path, "eszsl", "test", [0.405])
    write_records(tmp_path, "duet", "validation", [0.99])
    (tmp_path / "duet" / "calibration.json").write_text('{"gamma": 1, "split": "validation"}')
    for folder in (tmp_path, tmp_path / "duet"):
        assert cli.main(["results", str(folder)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "| row | seeds | T1 | U | S | H | AUSUC | minutes a run |"
        assert lines[-1] == "| duet | 3 | 50.0 ± 0.0 | 50.0 ± 0.0 | 50.0 ± 0.0 | 63.0 ± 2.6 | 50.0 ± 0.0 | 1.5 |"
    assert cli.main(["results", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[2] == "| eszsl | 1 | 50.0 | 50.0 | 50.0 | 40.5 | 50.0 | 1.5 |"
    assert cli.main(["results", str(tmp_path / "nothing")]) == 2
    assert "no test records below" in capsys.readouterr().err


def test_results_of_validation_say_what_each_run_changed(
    runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, changes in (("plain", ""), ("tried", "loss.tau=0.1 variant=vision_only")):
        plain = dataclasses.asdict(load_config(runs.recipe, changes))
        metrics = dict.fromkeys(("T1", "U", "S", "H"), 0.5) | {"AUSUC": 0.5 if changes else 0.3, "gamma": 0.1}
        Record(
            row="x", split="validation", seed=3, metrics=metrics, seconds=1.0, photos={}, unseen=2, recipe=plain
        ).write(tmp_path / name / "record.json")  # fmt: skip
    words = ["results", str(tmp_path), "--split", "validation", "--config", str(runs.recipe)]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.splitlines() == [
        "| changes | seed | T1 | U | S | H | AUSUC |",
        "|---|---|---|---|---|---|---|",
        "| `none` | 3 | 50.0 | 50.0 | 50.0 | 50.0 | 30.0 |",
        "| `loss.tau=0.1 variant=vision_only` | 3 | 50.0 | 50.0 | 50.0 | 50.0 | 50.0 |",
    ]
