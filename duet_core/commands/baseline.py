"""`duet baseline`: ESZSL on frozen features, through the same protocol and evaluation as every other row."""

from __future__ import annotations

import dataclasses
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from duet_core.config_file import load_config
from duet_core.evaluation import Judged, evaluate
from duet_core.recipe import changed_fields
from duet_core.record import ProtocolError, Record, figures, run_folder

if TYPE_CHECKING:  # torch is imported when features are computed: the rest needs none
    from duet_core.experiment import Experiment

_BATCH = 64
_USED = ("data.", "vision.", "run.holdout")
"""What of a recipe the baseline depends on."""


def run(config: Path, *, out: Path | None = None) -> str:
    """Fit ESZSL (Romera-Paredes and Torr, 2015) on the recipe's pre-trained encoder, as it comes.

    Ridge terms and γ are chosen on validation classes, then it is fitted on trainval and judged on test once. Nothing
    in it is random, so there is one run.

    Args:
        config: the recipe whose data and encoder are used.
        out: folder of the record; default runs/<recipe>/eszsl.

    Raises ProtocolError when the record in that folder is of other photos or another encoder.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = load_config(config)
    file = run_folder(out or Path("runs") / config.stem / "eszsl", "test", 0) / "record.json"
    if file.exists():
        record = Record.read(file)
        changed = [name for name in changed_fields(record.recipe, recipe) if name.startswith(_USED)]
        if changed:
            raise ProtocolError(f"{file} is of another recipe: {', '.join(changed)} changed; choose another --out")
        return _line(record)
    import torch

    from duet_core.experiment import Experiment

    record = _fit(Experiment(recipe, device=torch.device("cpu")))
    record.write(file)
    return _line(record)


def _fit(experiment: Experiment) -> Record:
    """Choose on validation, fit on trainval, judge test."""
    from duet_core.baselines import select_eszsl
    from duet_core.protocol import photo_sets

    started = time.monotonic()
    benchmark, features = experiment.benchmark, _features(experiment)
    validation, split, z = experiment.split("validation"), experiment.split("test"), benchmark.class_vectors
    choice = select_eszsl(
        features=features,
        labels=benchmark.labels,
        train=validation.train,
        seen_eval=validation.seen_eval,
        unseen_eval=validation.unseen_eval,
        class_vectors=z,
        seen_classes=validation.seen_classes,
        unseen_classes=validation.unseen_classes,
    )
    fitted = choice.model.fit(features[split.train], benchmark.labels[split.train], z)  # V (F, A)
    judged = Judged(
        v_seen=features[split.seen_eval] @ fitted,
        label_seen=benchmark.labels[split.seen_eval],
        v_unseen=features[split.unseen_eval] @ fitted,
        label_unseen=benchmark.labels[split.unseen_eval],
        class_vectors=z,
        seen_classes=split.seen_classes,
        unseen_classes=split.unseen_classes,
    )
    return Record(
        row="eszsl",
        split="test",
        seed=0,
        metrics=evaluate(gamma=choice.gamma, **judged).to_json(),
        seconds=time.monotonic() - started,
        photos=photo_sets(split),
        unseen=len(split.unseen_classes),
        recipe=dataclasses.asdict(experiment.config) | {"ridge": dataclasses.asdict(choice.model)},
    )


def _features(experiment: Experiment) -> NDArray[np.float32]:
    """(N, F) unit states of all photos by the pre-trained encoder."""
    import torch

    from duet_core.model.build import build_vision

    vision = build_vision(experiment.config.vision).eval()
    rows = torch.split(torch.arange(len(experiment.benchmark.labels)), _BATCH)
    with torch.no_grad():
        states = torch.cat([vision.tail(experiment.images.eval_batch(part)) for part in rows])
    return torch.nn.functional.normalize(states, dim=1).numpy()


def _line(record: Record) -> str:
    return f"eszsl test:  {figures(record.metrics)}  ridge {record.recipe['ridge']}"
