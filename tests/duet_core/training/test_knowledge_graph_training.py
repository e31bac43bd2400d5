"""A benchmark whose attributes come from a knowledge graph, end to end on generated photos."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from duet_core import cli
from duet_core.experiment import Experiment
from duet_core.record import Record
from duet_core.task import DuetTask
from tests.duet_core.benchmarks import tiny_graph
from tests.duet_core.tiny_world import TinyWorld

pytestmark = pytest.mark.slow

COLUMNS = 9
"""K, more than the A = 6 attributes of the tiny graph."""


@dataclass(frozen=True)
class GraphWorld:
    """The tiny world, a graph of its classes and their embedding."""

    world: TinyWorld
    graph: Path
    embedding: Path

    def experiment(self, **changes: object) -> Experiment:
        """The tiny recipe in layout knowledge_graph, with the embedding."""
        return self.world.experiment(**self.changes() | changes)

    def changes(self) -> dict[str, object]:
        """What the recipe says otherwise; λ_cmr and λ_acl are Table 4's of AWA2-KG."""
        return {
            "data__layout": "knowledge_graph",
            "data__graph": str(self.graph),
            "data__class_embedding": str(self.embedding),
            "loss__lambda_cmr": 0.5,
            "loss__lambda_acl": 0.01,
        }


@pytest.fixture(scope="module")
def graph_world(tiny_world: TinyWorld, tmp_path_factory: pytest.TempPathFactory) -> GraphWorld:
    folder = tmp_path_factory.mktemp("graph")
    graph = tiny_graph.write(folder / "graph")
    words = ["kg-embed", str(graph), "--out", str(folder / "e.npz"), "--dimensions", str(COLUMNS), "--epochs", "40"]
    assert cli.main(words) == 0
    return GraphWorld(tiny_world, graph, folder / "e.npz")


def embedding_rows(file: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """(7, K) in the order of the classes, found by hand."""
    with np.load(file) as content:
        row = {str(name): place for place, name in enumerate(content["entities"])}
        found = np.stack([content["entity_vectors"][row[f"B:n{number}"]] for number in range(1, 8)])
    return found.astype(np.float32)


@pytest.mark.parametrize("variant", ["duet", "vision_only"])
def test_v_is_compared_with_the_embedding_and_sentences_are_of_the_graph(graph_world: GraphWorld, variant: str) -> None:
    experiment = graph_world.experiment(variant=variant)
    split, rows = experiment.split("validation"), embedding_rows(graph_world.embedding)
    planner = experiment.planner(split)
    task = experiment.build_task(split, planner, seed=0)
    torch.testing.assert_close(task.zsl.seen_vectors, torch.from_numpy(rows[split.seen_classes]))
    np.testing.assert_allclose(np.linalg.norm(task.zsl.every_vector.numpy(), axis=1), 1, rtol=1e-5)
    v, _ = task.predict(experiment.images.eval_batch(torch.arange(3)))
    assert v.shape == (3, COLUMNS)
    assert experiment.benchmark.schema.keys == tiny_graph.KEYS
    assert planner.sentences.schema.template() == "wing color: | tail shape: | size:"


def test_stage_csg_keeps_the_degrees_of_the_graph(graph_world: GraphWorld) -> None:
    experiment = graph_world.experiment()
    split = experiment.split("test")
    planner = experiment.planner(split)
    task = experiment.build_task(split, planner, seed=0)
    assert isinstance(task, DuetTask)
    generator, contrasted, skipped = torch.Generator().manual_seed(0), 0, 0
    for _ in range(12):
        positions = torch.randint(len(planner.train_rows), (4,), generator=generator)
        plan = planner.plan(positions, "CSG", generator)
        assert plan.grounding is not None
        assert (plan.grounding.degree == 1).all()
        assert (plan.grounding.acl_weight == 1).all()
        contrasted += len(plan.grounding.acl_anchor)
        skipped += plan.grounding.skipped
        losses = task(plan, experiment.images.train_batch(plan.photos, generator))
        assert ("acl" in losses) == (len(plan.grounding.acl_anchor) > 0)
        assert all(torch.isfinite(value) for value in losses.values())
    assert contrasted > 0
    assert skipped > 0  # the tail's shape has a single attribute, so no negative


def test_a_batch_of_anchors_without_partners_trains_all_the_same(graph_world: GraphWorld) -> None:
    """A single attribute in every prompt set, so that Eq. 17 leaves no negative class."""
    lines = [line for line in tiny_graph.triples() if line[1:] in (("B:tailShape", "B:a3"), ("B:size", "B:a4"))]
    graph = tiny_graph.write(graph_world.graph.parent / "single", [*lines, ("B:n6", "B:wingColor", "B:a1")])
    experiment = graph_world.experiment(data__graph=str(graph), data__class_embedding=None)
    split = experiment.split("test")
    planner = experiment.planner(split)
    generator = torch.Generator().manual_seed(1)
    plan = planner.plan(torch.arange(4), "CSG", generator)
    assert plan.grounding is not None
    assert (len(plan.grounding.acl_anchor), plan.grounding.skipped) == (0, 4)
    task = experiment.build_task(split, planner, seed=0)
    losses = task(plan, experiment.images.train_batch(plan.photos, generator))
    assert set(losses) == {"cc", "ar", "sc", "cmr", "loss"}
    losses["loss"].backward()
    assert task.predict(experiment.images.eval_batch(torch.arange(2)))[0].shape == (2, 3)  # z: K is A


def test_train_judge_evaluate_and_no_bundle(
    graph_world: GraphWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    recipe = graph_world.world.write_recipe(tmp_path / "kg.yaml", **graph_world.changes())
    out = tmp_path / "runs" / "duet"
    with caplog.at_level(logging.INFO):
        assert cli.main(["train", str(recipe), "--out", str(out)]) == 0
    assert "3 relations as prompts, 6 attributes at h = 1" in caplog.text
    assert "e.npz: class distances correlate" in caplog.text
    record = Record.read(out / "test" / "seed0" / "record.json")
    assert all(0 <= record.metrics[name] <= 1 for name in ("T1", "U", "S", "H", "AUSUC"))
    assert record.recipe["data"]["hops"] == 1
    assert cli.main(["evaluate", str(recipe), "--runs", str(out)]) == 0
    assert "best attribute of a prompt set" in capsys.readouterr().out
    assert cli.main(["baseline", str(recipe), "--out", str(tmp_path / "eszsl")]) == 0
    capsys.readouterr()
    words = ["export", str(recipe), "--runs", str(out), "--out", str(tmp_path / "bundle")]
    assert cli.main(words) == 2
    assert f"tiny-KG: got a model whose v has the {COLUMNS} columns of data.class_embedding" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()
