"""`duet export`: a trained run becomes a bundle."""

from __future__ import annotations

import dataclasses
import json
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from duet_core.config_file import load_config
from duet_core.record import Record, finished, run_folder

if TYPE_CHECKING:  # torch is imported when the command runs: its help needs none
    from duet_core.experiment import Experiment
    from duet_core.task import DuetTask

SplitName = Literal["test", "validation"]

_CARDS = Path("training/cards")
_UNTOLD = {"licence": "The licence of the data was not told.", "limits": []}


def run(
    config: Path,
    *,
    out: Path = Path("models/birds"),
    runs: Path | None = None,
    seed: int = 0,
    split: SplitName = "test",
    set: Sequence[str] = (),
    model_id: str | None = None,
    card: Path | None = None,
) -> str:
    """Write the bundle of a finished training run, with parity to torch shown.

    Args:
        config: the recipe the run was trained with.
        out: folder of the bundle; replaced when it exists.
        runs: folder of the runs; default runs/<recipe>/duet.
        seed: which run to export.
        split: which of its runs: test, trained on all photos of seen classes, is the one to serve; validation is for
            `duet decisions --split validation`.
        set: a change to the recipe, as given to `duet train`; may be given again.
        model_id: name of the model in answers; default <recipe>-duet-seed<seed>, with -validation for such a run.
        card: YAML file with what the model card says of the data, licence and limits; default
            training/cards/<recipe>.yaml where there is one.

    Raises FileNotFoundError when the run is not finished, ValueError for a card without these two entries, ConfigError
    for an ablation that cannot be served, ExportError for a model of a class embedding.
    """
    import torch

    from duet_core.experiment import Experiment
    from duet_core.export import export_bundle
    from duet_core.export.bundle_writer import BundleSource, demand_attributes
    from duet_core.export.limits import demand_exportable
    from duet_core.model.build import build_preprocessing

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe, told = load_config(config, *set), _read_card(card, config)
    demand_exportable(recipe)
    folder = runs or Path("runs") / config.stem / "duet"
    experiment = Experiment(recipe, device=torch.device("cpu"))
    experiment.hold_to(folder)
    demand_attributes(experiment.benchmark)
    task = _load_task(experiment, run_folder(folder, split, seed), seed=seed, config=config, split=split)
    preprocessing = build_preprocessing(recipe.vision, task.model.vision, size=recipe.data.image_size)
    source = BundleSource(
        model_id=model_id or f"{config.stem}-duet-seed{seed}" + ("" if split == "test" else f"-{split}"),
        task=task,
        sentences=experiment.template_builder,
        tokenizer=experiment.tokenizer,
        language_model=recipe.language.name,
        benchmark=experiment.benchmark,
        correction=experiment.sampling_correction(experiment.split(split)),
        preprocessing=preprocessing,
        calibration=json.loads((folder / "calibration.json").read_text()),
        records=_records(experiment, folder, command=train_command(config, set), seed=seed, split=split)
        | {"licence": {"data": told["licence"]}, "limits": told["limits"]},
    )
    manifest = export_bundle(source, out)
    size_mb = sum(entry["bytes"] for entry in manifest["files"].values()) / 1e6
    return f"{out}: {size_mb:.1f} MB, max |Δv| {manifest['parity']['max_abs_difference_v']:.1e}"


def train_command(config: Path, changes: Sequence[str]) -> str:
    """The line that trains the recipe with these changes, as the manifest tells it; a shell reads it as it stands."""
    return shlex.join(["duet", "train", str(config), *(word for change in changes for word in ("--set", change))])


def _read_card(card: Path | None, config: Path) -> dict[str, Any]:
    """`licence`, one text, and `limits`, a list of texts, of a model card."""
    file = card or _CARDS / config.name
    if card is None and not file.is_file():
        return _UNTOLD
    told: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    is_whole = isinstance(told, dict) and told.keys() == _UNTOLD.keys() and isinstance(told["limits"], list)
    if not is_whole or not all(isinstance(text, str) for text in (told["licence"], *told["limits"])):
        raise ValueError(f"{file}: a card has the entries licence, one text, and limits, a list of texts")
    return dict(told)


def _load_task(experiment: Experiment, folder: Path, *, seed: int, config: Path, split: SplitName) -> DuetTask:
    """The trained model of a finished run, in evaluation mode."""
    from duet_core.task import DuetTask

    recipe = experiment.config
    if recipe.variant != "duet":
        raise ValueError(f"variant: got {recipe.variant!r}; only 'duet' has a language side to export")
    if finished(folder, recipe) is None:
        raise FileNotFoundError(f"no finished run in {folder}; run: duet train {config}")
    task, _ = experiment.load(experiment.split(split), seed=seed, folder=folder, source=config)
    assert isinstance(task, DuetTask)
    return task


def _records(experiment: Experiment, folder: Path, *, command: str, seed: int, split: SplitName) -> dict[str, Any]:
    """The manifest's account of training and figures, from the records of all finished test runs."""
    records = [Record.read(file) for file in sorted(folder.glob("test/seed*/record.json"))]
    photos = experiment.split(split)
    return {
        "training": {
            "command": command,
            "data": experiment.benchmark.name,
            "photos": len(photos.train),
            "seen_classes": len(photos.seen_classes),
            "unseen_classes": len(photos.unseen_classes),
            "seed": seed,
            "recipe": dataclasses.asdict(experiment.config),
        },
        "metrics": {
            "split": "test, judged once a seed; γ from validation classes",
            "test": [{"seed": record.seed, **record.metrics, "seconds": record.seconds} for record in records],
        },
    }
