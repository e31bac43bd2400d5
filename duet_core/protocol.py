"""The honest protocol: choose γ and the calibration on validation classes, retrain on trainval, judge test once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from duet_core.benchmarks import Split
from duet_core.calibration import fit_calibration
from duet_core.config import TrainConfig
from duet_core.evaluation import evaluate
from duet_core.experiment import Experiment
from duet_core.record import Record, finished, row_of, run_folder, write_json


def photo_sets(split: Split) -> dict[str, str]:
    """Count and checksum of the rows of each part of a split, to prove which photos a run has seen."""
    parts = {"train": split.train, "seen_eval": split.seen_eval, "unseen_eval": split.unseen_eval}
    return {
        name: f"{len(rows)} photos, sha256 {hashlib.sha256(rows.tobytes()).hexdigest()[:16]}"
        for name, rows in parts.items()
    }


def validate(experiment: Experiment, *, out: Path, refit: bool = False, source: Path | None = None) -> dict[str, Any]:
    """Train on the validation split for each validation seed; returns and writes the mean calibration.

    All numbers of the calibration are means over the validation seeds. The calibration in `out` is read when it
    is of these runs and this false-reject rate; otherwise it is fitted, from finished runs without training.

    Args:
        experiment: the recipe.
        out: folder of its runs.
        refit: fit again in any case.
        source: the recipe's file, for messages.

    Raises ProtocolError for a finished run of another recipe or another state of one's own folder, CheckpointError for
    one whose checkpoint is gone.
    """
    experiment.hold_to(out)
    config, file = experiment.config, out / "calibration.json"
    folders = [run_folder(out, "validation", seed) for seed in config.run.validation_seeds]
    records = [finished(folder, config) for folder in folders]
    if file.exists() and not refit:
        calibration: dict[str, Any] = json.loads(file.read_text())
        if _belongs(calibration, records, config):
            return calibration
    fitted = [
        _validate_seed(experiment, seed=seed, folder=folder, is_finished=record is not None, source=source)
        for seed, folder, record in zip(config.run.validation_seeds, folders, records, strict=True)
    ]
    mean = {name: _mean([one[name] for one in fitted]) for name in fitted[0]}
    if experiment.is_main:
        write_json(file, mean)
    return mean


def _mean(values: list[Any]) -> Any:
    """The mean of numbers, or of lists entry by entry; of anything else the first."""
    if isinstance(values[0], list):
        return [fmean(entries) for entries in zip(*values, strict=True)]
    return fmean(values) if isinstance(values[0], float) else values[0]


def _belongs(calibration: dict[str, Any], records: Sequence[Record | None], config: TrainConfig) -> bool:
    """Whether a calibration was fitted from exactly these runs at the configured false-reject rate."""
    gammas = [record.metrics["gamma"] for record in records if record is not None]
    return (
        len(gammas) == len(records)
        and math.isclose(calibration["gamma"], fmean(gammas))
        and math.isclose(calibration["false_reject_rate"], config.run.false_reject_rate)
        and "margins_seen" in calibration  # fitted before there were margins: fit again
    )


def _validate_seed(
    experiment: Experiment, *, seed: int, folder: Path, is_finished: bool, source: Path | None
) -> dict[str, Any]:
    """The calibration of one validation run, whose record is written. A finished run is loaded, never trained."""
    split = experiment.split("validation")
    if is_finished:
        task, seconds = experiment.load(split, seed=seed, folder=folder, source=source)
    else:
        task, seconds = experiment.train(split, seed=seed, folder=folder)
    judged = experiment.judged(task, split)
    calibration: dict[str, Any] = fit_calibration(
        false_reject_rate=experiment.config.run.false_reject_rate,
        split=f"{experiment.benchmark.name} validation (classes of train_loc and val_loc)",
        **judged,
    )
    metrics = evaluate(gamma=calibration["gamma"], **judged).to_json()
    _keep(experiment, split, folder, seed=seed, seconds=seconds, metrics=metrics)
    return calibration


def judge_validation(experiment: Experiment, *, seed: int, out: Path) -> Record:
    """Train on the validation split and judge it at the γ chosen there: a record that exists is read, never made again.

    Args:
        experiment: the recipe.
        seed: of the run.
        out: folder of the recipe's runs.

    Raises ProtocolError for a finished run of another recipe or another state of one's own folder.
    """
    experiment.hold_to(out)
    folder = run_folder(out, "validation", seed)
    done = finished(folder, experiment.config)
    if done is not None:
        return done
    _validate_seed(experiment, seed=seed, folder=folder, is_finished=False, source=None)
    return Record.read(folder / "record.json")


def judge_test(experiment: Experiment, *, seed: int, gamma: float, out: Path) -> Record:
    """Train on trainval and judge the test photos once: a record that exists is read, never made again.

    Args:
        experiment: the recipe.
        seed: of the run.
        gamma: chosen on validation classes.
        out: folder of the recipe's runs.

    Raises ProtocolError for a finished run of another recipe or another state of one's own folder.
    """
    experiment.hold_to(out)
    folder = run_folder(out, "test", seed)
    done = finished(folder, experiment.config)
    if done is not None:
        return done
    split = experiment.split("test")
    task, seconds = experiment.train(split, seed=seed, folder=folder)
    metrics = evaluate(gamma=gamma, **experiment.judged(task, split)).to_json()
    return _keep(experiment, split, folder, seed=seed, seconds=seconds, metrics=metrics)


def _keep(
    experiment: Experiment, split: Split, folder: Path, *, seed: int, seconds: float, metrics: dict[str, float]
) -> Record:
    """The record of a run, which the main process writes into the run's folder."""
    record = Record(
        row=row_of(experiment.config),
        split=split.name,
        seed=seed,
        metrics=metrics,
        seconds=seconds,
        photos=photo_sets(split),
        unseen=len(split.unseen_classes),
        recipe=dataclasses.asdict(experiment.config),
    )
    if experiment.is_main:
        record.write(folder / "record.json")
    return record
