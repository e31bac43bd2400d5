"""Records are found by what was trained, not by who asked for it or how they are called."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from duet_core.config_file import load_config
from duet_core.recipe import identity
from duet_core.studies import RecordStore, StudyError
from duet_core.studies.record_store import RunKey
from tests.duet_core.studies.study_records import write_record, write_study

ROOT = Path(__file__).resolve().parents[3]


def test_the_identity_of_a_recipe_is_what_it_trains(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("data: {root: somewhere}\n")
    plain = load_config(file)
    same = load_config(file, "run.seeds=[7] data.cache=elsewhere run.checkpoint_every=3 loss.lambda_cmr=5")
    assert identity(plain) == identity(same)
    assert identity(plain) != identity(load_config(file, "loss.lambda_cmr=5.1"))
    record = json.loads(json.dumps(dataclasses.asdict(plain)))
    del record["sampling"]["csg_anchors"]  # a record older than the field
    assert identity(record) == identity(plain)


def test_equal_rows_of_two_studies_share_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = write_study(tmp_path, "first")
    second = write_study(tmp_path, "second", rows={"half": {"set": {"loss.lambda_con": 0}}, "base": {}})
    write_record(tmp_path / "records/first/one/test-seed1.json", first.row("one"), 1, H=0.7)
    store = RecordStore(tmp_path / "records")
    found = store.find(RunKey.of(second.row("half").config, "test", 1))
    assert found is not None
    assert found.metrics["H"] == 0.7
    assert store.find(RunKey.of(second.row("half").config, "test", 0)) is None
    assert store.find(RunKey.of(second.row("half").config, "validation", 1)) is None
    assert store.find(RunKey.of(second.row("base").config, "test", 1)) is None


def test_gamma_comes_from_all_validation_runs_and_binds_test_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one = write_study(tmp_path, "a").row("base")
    two = write_study(tmp_path, "b", set={"run.validation_seeds": [0, 1]}).row("base")
    folder = tmp_path / "records"
    write_record(folder / "0.json", one, 0, split="validation", gamma=0.2)
    store = RecordStore(folder)
    assert store.gamma(one.config) == 0.2
    assert store.gamma(two.config) is None
    write_record(folder / "1.json", one, 1, split="validation", gamma=0.4)
    assert store.gamma(two.config) is None
    store.refresh()
    assert store.gamma(two.config) == pytest.approx(0.3)
    write_record(folder / "2.json", one, 0, gamma=0.2)
    store.refresh()
    assert store.find(RunKey.of(one.config, "test", 0)) is not None
    assert store.find(RunKey.of(two.config, "test", 0)) is None  # it was judged at another γ


def test_records_of_baselines_are_not_records_of_their_recipe() -> None:
    records = ROOT / "training" / "records" / "birds"
    recipe = load_config(ROOT / "training" / "configs" / "birds.yaml")
    found = RecordStore(records).find(RunKey.of(recipe, "test", 0))
    assert found is not None
    assert found.row == "duet"
    assert json.loads((records / "eszsl-seed0.json").read_text())["row"] == "eszsl"


def test_rows_with_prototypes_are_runs_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = write_study(tmp_path, rows={"base": {}, "plus": {"set": {"prototypes.fit": True}}})
    write_record(tmp_path / "records/plus.json", study.row("plus"), 0, split="validation", gamma=0.3)
    store = RecordStore(tmp_path / "records")
    assert store.gamma(study.row("plus").config) == 0.3
    assert store.gamma(study.row("base").config) is None


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "test-seed0.json").write_text("<<<<<<< HEAD")
    with pytest.raises(StudyError, match=r"test-seed0\.json: not JSON"):
        RecordStore(tmp_path)
