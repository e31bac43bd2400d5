"""A bundle of a model with prototypes: it opens, needs a release that knows metrics, and ranks as torch does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from duet_core.calibration import fit_calibration
from duet_core.experiment import Experiment
from duet_core.export.bundle_writer import BundleSource, export_bundle
from duet_core.export.folding import FoldedVision
from duet_core.model.build import build_preprocessing
from duet_core.model.fixed_norm import FixedNormConv
from duet_core.runtime import Encoder, open_bundle, rank_calibrated
from duet_core.runtime.preprocess import load_rgb
from duet_core.task import DuetTask
from tests.duet_core.tiny_world import TinyWorld

RECIPE: dict[str, Any] = {
    "prototypes__fit": True,
    "prototypes__shrinkage": 300.0,  # the states of an untrained encoder hardly differ, which makes v large
    "cross_modal__direct_path": True,
    "vision__fixed_norms": True,
    "vision__zero_head": True,
}


def finished(world: TinyWorld, **changes: Any) -> tuple[Experiment, DuetTask]:
    """A model as after training, though it never was trained."""
    experiment = world.experiment(**RECIPE | changes)
    split = experiment.split("test")
    task = experiment.build_task(split, experiment.planner(split), seed=0)
    assert isinstance(task, DuetTask)
    torch.manual_seed(4)
    with torch.no_grad():
        task.model.attribute_head.weight.normal_()
    experiment.finish(task, split)
    return experiment, task


def source(experiment: Experiment, task: DuetTask) -> BundleSource:
    config, split = experiment.config, experiment.split("test")
    return BundleSource(
        model_id="tiny-prototypes",
        task=task,
        sentences=experiment.template_builder,
        tokenizer=experiment.tokenizer,
        language_model=config.language.name,
        benchmark=experiment.benchmark,
        correction=experiment.sampling_correction(split),
        preprocessing=build_preprocessing(config.vision, task.model.vision, size=config.data.image_size),
        calibration=fit_calibration(split="test", **experiment.judged(task, split)),
        records={
            "training": {"command": "none", "data": "tiny", "photos": 1, "seen_classes": 5, "unseen_classes": 2,
                         "seed": 0, "recipe": {}},
            "metrics": {"split": "none", "test": []},
            "licence": {"data": "none"},
            "limits": [],
        },
    )  # fmt: skip


def test_the_folded_model_reads_v_off_the_state_and_leaves_the_model_alone(tiny_world: TinyWorld) -> None:
    experiment, task = finished(tiny_world)
    model, pixels = task.model, torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    folded = FoldedVision(model, experiment.template_builder.template()).eval()
    assert model.readout is not None
    with torch.no_grad():
        v, state = folded(pixels)
        expected, expected_state = task.predict(model.vision.trunk(pixels))
        torch.testing.assert_close(expected, model.readout(model.vision(pixels)))
    torch.testing.assert_close(v, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(state, expected_state, rtol=1e-4, atol=1e-4)
    assert not [part for part in folded.modules() if isinstance(part, FixedNormConv)]
    assert [part for part in model.vision.modules() if isinstance(part, FixedNormConv)]


def test_a_model_with_prototypes_is_exported_and_ranks_as_in_torch(tiny_world: TinyWorld, tmp_path: Path) -> None:
    experiment, task = finished(tiny_world)
    manifest = export_bundle(source(experiment, task), tmp_path / "bundle")
    assert manifest["requires"] == ["metric"]
    bundle, benchmark = open_bundle(tmp_path / "bundle"), experiment.benchmark
    metric, seen = bundle.classes.metric, np.flatnonzero(benchmark.classes.seen)
    assert metric.checksum == task.metric.checksum != ""
    z = task.metric.unit(benchmark.class_vectors)
    np.testing.assert_allclose(bundle.classes.z, z[seen], rtol=1e-5)
    encoder = Encoder(bundle)
    photos = [load_rgb(benchmark.image_paths[row]) for row in (0, 9, 20, 33)]
    encoded = encoder.encode(photos)
    with torch.no_grad():
        pixels = torch.from_numpy(np.stack([encoder.prepare(photo) for photo in photos]))
        v = task.predict(task.model.vision.trunk(pixels))[0].numpy()
    scale = np.abs(v).max()
    np.testing.assert_allclose(encoded.v, v, atol=1e-4 * max(1.0, float(scale)))
    for of_bundle, of_torch in zip(encoded.v, v, strict=True):
        ranking = rank_calibrated(bundle, of_bundle, bundle.classes, top_k=5, candidates="all")
        scores = z[seen].astype(np.float64) @ of_torch
        order = [bundle.classes.ids[row] for row in np.argsort(-scores)]
        assert [prediction.class_id for prediction in ranking.predictions] == order
        found = [prediction.score for prediction in ranking.predictions]
        np.testing.assert_allclose(found, np.sort(scores)[::-1], atol=1e-3 * max(1.0, float(np.abs(scores).max())))
    _check_evidence(bundle.folder, encoded.v)


def _check_evidence(folder: Path, v: np.ndarray) -> None:
    bundle = open_bundle(folder)
    metric, calibration = bundle.classes.metric, json.loads((folder / "calibration.json").read_text())
    assert calibration["evidence"] == bundle.evidence.kind == "centred_cosine"
    coordinates = metric.class_coordinates(bundle.classes.z)
    mean = coordinates.mean(axis=0) / np.linalg.norm(coordinates.mean(axis=0))
    for photo in metric.photo_coordinates(v):
        parts = [rows - np.outer(rows @ mean, mean) for rows in (coordinates, photo[None])]
        classes, own = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in parts)
        expected = float((classes @ own[0]).max())
        row = int(np.flatnonzero((metric.photo_coordinates(v) == photo).all(axis=1))[0])
        decision = rank_calibrated(bundle, v[row], bundle.classes, top_k=1, candidates="all").decision
        assert decision.score == pytest.approx(expected, abs=2e-3)
