"""Prototypes of a trained run: fitted to its training photos, judged in coordinates, its checkpoint as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from duet_core import experiment as experiment_module
from duet_core.checkpoint import CheckpointError, save_checkpoint
from duet_core.evaluation import evaluate
from duet_core.experiment import Experiment, Task
from duet_core.model.fixed_norm import FixedNormConv
from duet_core.prototypes import Prototypes, fit_prototypes
from duet_core.recipe import recipe
from duet_core.runtime.metric import EUCLIDEAN
from tests.duet_core.tiny_world import TinyWorld

FIT: dict[str, Any] = {"prototypes__fit": True, "prototypes__ridge": 0.2, "prototypes__shrinkage": 2.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "duet": {},
    "direct path": {"cross_modal__direct_path": True, "vision__zero_head": True, "vision__fixed_norms": True},
    "vision only": {"variant": "vision_only", "vision__zero_head": True},
}


def write_run(experiment: Experiment, folder: Path, *, without: str = "") -> Task:
    """A finished run as `Experiment.load` finds it, of a model that was never trained."""
    split = experiment.split("test")
    task = experiment.build_task(split, experiment.planner(split), seed=0)
    file = folder / "checkpoint.pt"
    save_checkpoint(file, experiment.config, seed=0, step=1, model=task.model.state_dict(), seconds=2.5)
    if without:  # written before there was such a section
        state = torch.load(file, weights_only=True)
        del state["recipe"][without]
        torch.save(state, file)
    return task.eval()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_without_prototypes_is_judged_with_them(tiny_world: TinyWorld, tmp_path: Path, variant: str) -> None:
    folder = tmp_path / "test" / "seed0"
    plain = tiny_world.experiment(**VARIANTS[variant])
    untouched = write_run(plain, folder)
    experiment = tiny_world.experiment(**VARIANTS[variant], **FIT)
    split, benchmark = experiment.split("test"), experiment.benchmark
    task, seconds = experiment.load(split, seed=0, folder=folder)
    assert (seconds, task.training) == (2.5, False)
    states, rows = _features(experiment, untouched, split.train), np.concatenate([split.seen_eval, split.unseen_eval])
    expected = fit_prototypes(states, benchmark.labels[split.train], benchmark.class_vectors, ridge=0.2, shrinkage=2.0)
    scale = np.abs(expected.weight).sum() * np.abs(states).max()
    v, wanted = experiment.predict(task, rows), _features(experiment, untouched, rows) @ expected.weight.T
    np.testing.assert_allclose(v / scale, (wanted + expected.bias) / scale, atol=1e-5)
    assert task.metric.factor is not None
    gram = expected.metric.T @ expected.metric
    np.testing.assert_allclose(task.metric.factor.T @ task.metric.factor, gram, atol=1e-4 * np.abs(gram).max())
    _check_judged(experiment, task)
    before = plain.load(split, seed=0, folder=folder)[0]
    assert before.metric is EUCLIDEAN
    assert before.model.readout is None
    np.testing.assert_allclose(plain.predict(before, rows), plain.predict(untouched, rows), atol=1e-5)
    vectors = np.asarray(plain.judged(before, split)["class_vectors"], dtype=np.float64)
    np.testing.assert_allclose(vectors, benchmark.class_vectors, rtol=1e-6)


def _features(experiment: Experiment, task: Task, rows: np.ndarray) -> np.ndarray:
    """(n, F) states of the encoder, float64."""
    with torch.no_grad():
        states = task.model.vision.tail(experiment.images.eval_batch(torch.from_numpy(rows)))
    return states.double().numpy()


def _check_judged(experiment: Experiment, task: Task) -> None:
    """What is judged has the scores v·z of class vectors of unit length in the metric."""
    split = experiment.split("test")
    judged = experiment.judged(task, split)
    z = task.metric.unit(experiment.benchmark.class_vectors).astype(np.float64)
    coordinates = np.asarray(judged["class_vectors"])
    np.testing.assert_allclose(np.linalg.norm(coordinates, axis=1), 1, atol=1e-3)
    for part, rows in (("v_seen", split.seen_eval), ("v_unseen", split.unseen_eval)):
        v = experiment.predict(task, rows).astype(np.float64)
        scores = v @ z.T
        got = np.asarray(judged[part]) @ coordinates.T  # type: ignore[literal-required]
        np.testing.assert_allclose(got, scores, atol=1e-4 * np.abs(scores).max())
    metrics = evaluate(gamma=0.1, **judged).to_json()
    assert all(0 <= metrics[name] <= 1 for name in ("T1", "U", "S", "H", "AUSUC"))


def test_prototypes_see_training_photos_only(
    tiny_world: TinyWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[np.ndarray, np.ndarray]] = []

    def noted(states: np.ndarray, labels: np.ndarray, *rest: Any, **settings: Any) -> Prototypes:
        asked.append((states, labels))
        assert settings == {"ridge": 0.2, "shrinkage": 2.0}
        return fit_prototypes(states, labels, *rest, **settings)

    monkeypatch.setattr(experiment_module, "fit_prototypes", noted)
    experiment = tiny_world.experiment(**FIT)
    write_run(experiment, tmp_path / "seed0")
    for name in ("validation", "test"):
        split = experiment.split(name)
        task = experiment.load(split, seed=0, folder=tmp_path / "seed0")[0]
        states, labels = asked.pop()
        assert asked == []
        np.testing.assert_array_equal(labels, experiment.benchmark.labels[split.train])
        assert set(labels.tolist()) == set(split.seen_classes.tolist())
        np.testing.assert_allclose(states, _features(experiment, task, split.train), rtol=1e-3, atol=1e-4)


def test_a_checkpoint_belongs_to_its_training_whatever_is_made_of_it(tiny_world: TinyWorld, tmp_path: Path) -> None:
    for case, (written, read, fits) in enumerate(
        [
            ({}, FIT, True),
            (FIT, {}, True),
            (FIT, FIT | {"prototypes__ridge": 5.0}, True),
            ({}, {"vision__fixed_norms": True}, False),
            ({}, FIT | {"loss__tau": 0.1}, False),
        ]
    ):
        folder = tmp_path / str(case) / "test" / "seed0"
        old = "" if "prototypes__fit" in written else "prototypes"
        write_run(tiny_world.experiment(**written), folder, without=old)
        experiment = tiny_world.experiment(**read)
        if fits:
            experiment.load(experiment.split("test"), seed=0, folder=folder)
            continue
        with pytest.raises(CheckpointError, match=r"another run: (vision\.fixed_norms|loss\.tau) changed"):
            experiment.load(experiment.split("test"), seed=0, folder=folder)


def test_the_record_tells_of_prototypes(tiny_world: TinyWorld) -> None:
    """Two results of one checkpoint are told apart by their recipes."""
    plain = recipe(tiny_world.config(**FIT))
    assert plain["prototypes"] == {"fit": True, "ridge": 0.2, "shrinkage": 2.0}


@pytest.mark.parametrize("changes", [VARIANTS["direct path"], VARIANTS["vision only"]], ids=["duet", "vision only"])
def test_a_head_from_0_starts_from_0_and_learns(tiny_world: TinyWorld, changes: dict[str, Any]) -> None:
    experiment = tiny_world.experiment(**changes)
    split, hidden = experiment.split("test"), experiment.images.eval_batch(torch.arange(4))
    task = experiment.build_task(split, experiment.planner(split), seed=0).eval()
    ordinary = tiny_world.experiment(**changes | {"vision__zero_head": False})
    other = ordinary.build_task(split, ordinary.planner(split), seed=0).model.state_dict()
    name = "attribute_head" if "variant" in changes else "direct_path"
    for key, value in task.model.state_dict().items():
        zero = key in (f"{name}.1.weight", f"{name}.1.bias")
        assert torch.equal(value, torch.zeros_like(value) if zero else other[key]), key
    v, _ = task.predict(hidden)
    (v - 1).square().sum().backward()  # type: ignore[no-untyped-call]
    head = getattr(task.model, name)[1]
    assert float(head.weight.grad.abs().max()) > 0


def test_training_leaves_fixed_statistics_alone_and_moves_the_rest(tiny_world: TinyWorld, tmp_path: Path) -> None:
    changes = {"variant": "vision_only", "vision__fixed_norms": True, "optimizer__epochs": 1, **FIT}
    experiment = tiny_world.experiment(**changes)
    split = experiment.split("test")
    start = experiment.build_task(split, experiment.planner(split), seed=0).model.vision.state_dict()
    task, _ = experiment.train(split, seed=0, folder=tmp_path / "runs" / "test" / "seed0")
    after = task.model.vision.state_dict()
    assert after.keys() == start.keys()
    moved = {key for key in start if not torch.equal(after[key], start[key])}
    assert moved
    assert not [key for key in moved if "running" in key or "num_batches" in key]
    fixed = [name for name, part in task.model.vision.named_modules() if isinstance(part, FixedNormConv)]
    for part in ("conv.weight", "norm.weight", "norm.bias"):
        assert any(f"{name}.{part}" in moved for name in fixed), part
    assert task.model.readout is not None
    assert not [p for p in task.model.readout.parameters() if p.requires_grad]
    state = torch.load(tmp_path / "runs" / "test" / "seed0" / "checkpoint.pt", weights_only=True)
    assert not [key for key in state["model"] if "readout" in key]
