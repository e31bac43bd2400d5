"""`duet calibrate`: fit γ, temperature and rejection threshold again from a finished validation run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from duet_core.config import TrainConfig
from duet_core.config_file import load_config
from duet_core.recipe import changed_fields
from duet_core.record import ProtocolError, finished, run_folder
from duet_core.runtime.bundle import open_bundle, renew_files


def run(config: Path, *, runs: Path | None = None, set: Sequence[str] = (), bundle: Path | None = None) -> str:
    """Fit the calibration on validation photos and write calibration.json into the folder of the runs.

    A finished validation run is not trained again; only its calibration is fitted anew, for example after
    run.false_reject_rate has changed. Export the bundle again afterwards, or give it here.

    Args:
        config: the recipe.
        runs: folder of the runs; default runs/<recipe>/<variant>.
        set: a change to the recipe, such as run.false_reject_rate=0.1; may be given again.
        bundle: a bundle exported from this recipe, whose calibration and card are replaced.

    Raises FileNotFoundError when a validation run is not finished, CheckpointError when its checkpoint is gone,
    ProtocolError for a bundle of another recipe, ConfigError for a model that has seen test photos.
    """
    import torch

    from duet_core.experiment import Experiment
    from duet_core.export.limits import demand_exportable, demand_honest
    from duet_core.protocol import validate

    recipe = load_config(config, *set)
    demand_honest(recipe)
    folder = runs or Path("runs") / config.stem / recipe.variant
    if bundle is not None:
        demand_exportable(recipe)
        _demand_recipe(bundle, recipe)
    experiment = Experiment(recipe, device=torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    for seed in recipe.run.validation_seeds:
        if finished(run_folder(folder, "validation", seed), recipe) is None:
            raise FileNotFoundError(
                f"no finished run in {run_folder(folder, 'validation', seed)}; run: duet train {config}"
            )
    calibration = validate(experiment, out=folder, refit=True, source=config)
    if bundle is not None:
        put_calibration(bundle, calibration)
    return json.dumps(calibration, indent=1)


def put_calibration(bundle: Path, calibration: dict[str, Any]) -> None:
    """Replace the calibration of a bundle, with its checksum and the model card, and open it to prove it whole."""
    from duet_core.export.model_card import write_card

    written = bundle / "calibration.json.new"
    written.write_text(json.dumps(calibration, indent=1) + "\n", encoding="utf-8")
    written.replace(bundle / "calibration.json")
    renew_files(bundle, ["calibration.json"])
    write_card(open_bundle(bundle))


def _demand_recipe(bundle: Path, recipe: TrainConfig) -> None:
    changed = changed_fields(open_bundle(bundle).manifest["training"]["recipe"], recipe)
    if changed:
        raise ProtocolError(f"{bundle} was trained by another recipe: {', '.join(changed)} changed; export it again")
