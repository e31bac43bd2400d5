"""Studies: the repository's own load, and mistakes are told all at once, by line and name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from duet_core.config_file import load_config
from duet_core.recipe import identity
from duet_core.studies import Study, StudyError, load_study
from duet_core.studies.run_list import run_list
from tests.duet_core.studies.study_records import PLAIN, write_study

ROOT = Path(__file__).resolve().parents[3]
STUDIES = sorted((ROOT / "training" / "studies").glob("*.yaml"))


SWEEPS = ("figure5_rho", "figure5_rap", "figure5_cmr", "figure5_acl")


@pytest.fixture(scope="module")
def studies() -> dict[str, Study]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return {file.stem: load_study(file) for file in STUDIES}


@pytest.mark.slow
@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_every_study_of_the_repository_builds_every_rows_configuration(file: Path, studies: dict[str, Study]) -> None:
    study = studies[file.stem]
    assert set(study.compare_with) <= {row.name for row in study.rows}
    assert study.compare_with
    assert f"training/studies/{file.name}" in file.read_text()  # its launch line


@pytest.mark.slow
def test_the_studies_share_the_base_row_and_what_else_is_equal(studies: dict[str, Study]) -> None:
    found, recipe = studies, identity(load_config(ROOT / "training" / "configs" / "birds_study.yaml"))
    of_the_paper = set(found) - {"plus"}
    base = {name: identity(found[name].row(found[name].compare_with[-1]).config) for name in of_the_paper}
    assert of_the_paper == {
        "table3",
        "a7_sampling",
        "authors",
        "leak",
        *(f"figure5_{x}" for x in ("rho", "rap", "cmr", "acl")),
    }
    assert set(base.values()) == {recipe}
    csg, only = (identity(found["table3"].row(name).config) for name in ("csg", "only_enc_vis"))
    assert identity(found["figure5_acl"].row("acl_0.0").config) == csg
    assert {identity(found[name].row("only_enc_vis").config) for name in SWEEPS} == {only}
    assert identity(found["plus"].row("none").config) == only
    assert not any(found[name].sweep in found[name].row("only_enc_vis").changes for name in SWEEPS)  # a level line


@pytest.mark.slow
def test_table_3_has_the_papers_rows_and_figures(studies: dict[str, Study]) -> None:
    table = studies["table3"]
    papers = [64.1, 61.7, 63.6, 66.5, 61.7, 64.9, 66.9, 67.4, 68.4, 69.2, 72.7]
    assert [row.paper for row in table.rows] == papers
    off = [row.config.loss.lambda_acl == 0 and row.config.sampling.acl_anchors == 0 for row in table.rows]
    assert off == [True] * 10 + [False]  # "L_acl is disabled, unless otherwise specified"


MISTAKES = """\
title: Tiny
recipy: recipe.yaml
recipe: recipe.yaml
seeds: [0, 1, 1]
compare_with: [bass]
metric: F1
sweep: loss.tau
set:
  loss.lamda_con: 0.0
  run.seeds: [1]
rows:
  base: {}
  One Two: {}
  high:
    paper: 641
  odd:
    lable: Odd
    set:
      sampling.rho: 2
      sampling.rap_ratio: many
  base: {}
  same:
    set: {loss.tau: 0.05}
"""


def test_all_mistakes_are_told_with_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text("data: {root: somewhere}\n")
    file = Path("bad.yaml")
    file.write_text(MISTAKES)
    with pytest.raises(StudyError) as caught:
        load_study(file)
    told = str(caught.value).splitlines()[1:]
    assert [re.sub("; .*", "", line) for line in told] == [
        "bad.yaml:2: recipy: no such field",
        "bad.yaml:4: seeds: got [0, 1, 1]",
        "bad.yaml:5: compare_with: got 'bass'",
        "bad.yaml:6: metric: got 'F1'",
        "bad.yaml:7: sweep: got 'loss.tau'",
        "bad.yaml:9: set.loss.lamda_con: no such field",
        "bad.yaml:10: set.run.seeds: seeds are the study's own: set them under `seeds`",
        "bad.yaml:13: rows.One Two: allowed in a name are small letters, digits, '_', '-' and '.', such as without_rap",
        "bad.yaml:15: rows.high.paper: got 641",
        "bad.yaml:17: rows.odd.lable: no such field",
        "bad.yaml:20: rows.odd.set.sampling.rap_ratio: got 'many'",
        "bad.yaml:21: rows.base: stands in line 12 already",
    ]


def test_contradictions_and_equal_rows_are_mistakes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = {"base": {}, "same": {"set": {"loss.tau": 0.05}}, "odd": {"set": {"sampling.rho": 2.0}}}
    with pytest.raises(StudyError, match=r"rows\.odd\.set\.sampling\.rho: got 2\.0; allowed is 0…1") as caught:
        write_study(tmp_path, rows=rows)
    assert "rows.same: is the same recipe as row base" in str(caught.value)


def test_a_sweep_has_one_row_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows: dict[str, object] = {
        "base": {"set": {"variant": "vision_only", "loss.lambda_con": 0}},
        "none": {"set": {"loss.lambda_con": 0.0}},
        "much": {"set": {"loss.lambda_con": 1.0}},
    }
    with pytest.raises(StudyError, match=r"sweep: got 'loss\.lambda_con', which several rows set to 0; allowed is one"):
        write_study(tmp_path, rows=rows, sweep="loss.lambda_con")
    rows["base"] = {"set": {"variant": "vision_only"}}
    study = write_study(tmp_path, rows=rows, set={"loss.lambda_con": 0.0}, sweep="loss.lambda_con")
    assert [row.changes.get("loss.lambda_con") for row in study.rows] == [None, 0.0, 1.0]


@pytest.mark.parametrize("text", ["- a\n", "title: [\n", ""])
def test_what_is_no_study_at_all_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(StudyError, match=r"bad.yaml:\d"):
        load_study(file)
    with pytest.raises(FileNotFoundError, match="training/studies"):
        load_study(tmp_path / "none.yaml")


def test_runs_are_listed_seed_by_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = write_study(tmp_path, set={"run.validation_seeds": [4, 5]}, rows={"base": {}, "one": PLAIN["rows"]["one"]})
    first = ["validation seed 4", "validation seed 5", "test seed 0"]
    later = [f"{row} test seed {seed}" for seed in (1, 2) for row in ("base", "one")]
    assert list(map(str, run_list(study))) == [*(f"{row} {run}" for row in ("base", "one") for run in first), *later]
    assert list(map(str, run_list(study, rows=["one"], seeds=[2]))) == [
        "one validation seed 4",
        "one validation seed 5",
        "one test seed 2",
    ]
    with pytest.raises(StudyError, match="no row 'two'; there are base, one"):
        run_list(study, rows=["two"])
