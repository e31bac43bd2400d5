"""`duet calibrate`: fit γ, temperature and rejection threshold again from a finished validation run."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from duet_core.config_file import load_config
from duet_core.experiment import Experiment
from duet_core.protocol import finished, run_folder, validate


def run(config: Path, *, runs: Path | None = None, set: str = "") -> str:
    """Fit the calibration on validation photos and write calibration.json into the folder of the runs.

    A finished validation run is not trained again; only its calibration is fitted anew, for example after
    run.false_reject_rate has changed. Export the bundle again afterwards.

    Args:
        config: the recipe.
        runs: folder of the runs; default runs/<recipe>/<variant>.
        set: changes to the recipe, such as run.false_reject_rate=0.1.

    Raises FileNotFoundError when a validation run is not finished.
    """
    recipe = load_config(config, set)
    folder = runs or Path("runs") / config.stem / recipe.variant
    experiment = Experiment(recipe, device=torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    for seed in recipe.run.validation_seeds:
        if finished(run_folder(folder, "validation", seed), recipe) is None:
            raise FileNotFoundError(
                f"no finished run in {run_folder(folder, 'validation', seed)}; run: duet train {config}"
            )
    return json.dumps(validate(experiment, out=folder, refit=True), indent=1)
