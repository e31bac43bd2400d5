"""Recipes: the repository's own load, mistakes are reported all at once and by the name of their field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

from duet_core.config import ConfigError, DataConfig, TrainConfig, VisionConfig, expand
from duet_core.config_file import load_config
from duet_core.type_names import type_name

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "training" / "configs").glob("*.yaml"))


def write(folder: Path, **sections: Any) -> Path:
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump({"data": {"root": "somewhere"}} | sections))
    return file


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_every_recipe_of_the_repository_loads_and_says_what_it_wrote(file: Path) -> None:
    config, plain = load_config(file), yaml.safe_load(file.read_text())
    for section, fields in plain.items():
        part = getattr(config, section)
        for name, value in fields.items() if isinstance(fields, dict) else ():
            got = getattr(part, name)
            assert (list(got) if isinstance(got, tuple) else got) == value, f"{section}.{name}"
    assert not Path(config.data.root).is_absolute()


def test_there_are_recipes() -> None:
    assert "birds" in {file.stem for file in RECIPES}


def test_the_gpu_recipe_has_the_papers_values_that_it_names() -> None:
    file = ROOT / "training" / "configs" / "birds_gpu.yaml"
    config = load_config(file)
    loss, sampling = config.loss, config.sampling
    found = {
        "λ_cmr": loss.lambda_cmr,
        "λ_acl": loss.lambda_acl,
        "ρ": sampling.rho,
        "r": sampling.rap_ratio,
        "τ": loss.tau,
        "K": config.cross_modal.layers,
        "batch": config.optimizer.batch_size,
    }
    (said,) = re.findall(r"Table 4 \(CUB\): (.*)\.\n", file.read_text())
    assert {name: float(value) for name, value in (entry.split() for entry in said.split(", "))} == found
    assert (sampling.csg_anchors, sampling.acl_anchors, sampling.con_anchors) == (None, None, None)  # every anchor


def test_sections_left_out_have_the_papers_settings(tmp_path: Path) -> None:
    config = load_config(write(tmp_path))
    assert config == TrainConfig(data=DataConfig(root="somewhere"))
    assert (config.optimizer.batch_size, config.optimizer.lr_vision, config.loss.lambda_cmr) == (50, 3e-5, 5.0)
    assert (config.sampling.rap_ratio, config.sampling.rho, config.loss.tau) == (0.5, 0.4, 0.05)


def test_changes_win_over_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, optimizer={"epochs": 3})
    config = load_config(file, "optimizer.epochs=4 variant=vision_only run.seeds=[7] loss.lambda_con=1e-2")
    assert (config.optimizer.epochs, config.variant, config.run.seeds) == (4, "vision_only", (7,))
    assert config.loss.lambda_con == 0.01
    several = load_config(file, "variant=vision_only optimizer.epochs=4", "loss.tau=0.1", "optimizer.epochs=5")
    assert (several.variant, several.optimizer.epochs, several.loss.tau) == ("vision_only", 5, 0.1)
    with pytest.raises(ConfigError, match=r"--set: got 'epochs'; allowed is section\.field=value"):
        load_config(file, "epochs")


def test_unknown_fields_and_wrong_types_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"optimizer.*epoch\b"):
        load_config(write(tmp_path, optimizer={"epoch": 3}))
    with pytest.raises(ConfigError, match=r"optimizer\.epochs"):
        load_config(write(tmp_path, optimizer={"epochs": "many"}))
    with pytest.raises(ConfigError, match=r"sampling\.lwrs"):
        load_config(write(tmp_path, sampling={"lwrs": "cubic"}))
    with pytest.raises(ConfigError, match="nonsense"):
        load_config(write(tmp_path, nonsense={"a": 1}))


def test_all_unknown_fields_and_wrong_types_are_told_at_once_with_the_nearest_names(tmp_path: Path) -> None:
    wrong: dict[str, Any] = {
        "optimizer": {"epoch": 3, "betas": [1], "bf16": "perhaps"},
        "run": {"tau": 3, "seeds": 3},
        "vision": {"mean": [1, 2], "name": None},
        "los": {},
        "loss": None,
        "variant": "both",
    }
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, **wrong), "sampling=3")
    assert set(str(caught.value).splitlines()[1:]) == {
        "  optimizer.epoch: no such field; did you mean epochs?",
        "  optimizer.betas: got [1]; allowed is a list of 2 numbers",
        "  optimizer.bf16: got 'perhaps'; allowed is true or false",
        "  run.tau: no such field; did you mean loss.tau?",
        "  run.seeds: got 3; allowed is a list of whole numbers",
        "  vision.mean: got [1, 2]; allowed is a list of 3 numbers or null",
        "  vision.name: got None; allowed is text",
        "  los: no such section; did you mean loss?",
        "  loss: got None; allowed is a mapping of its fields, such as loss: {lambda_ar: …}",
        "  sampling: got 3; allowed is a mapping of its fields, such as sampling: {rho: …}",
        "  variant: got 'both'; allowed is duet or vision_only",
    }


@pytest.mark.parametrize(
    ("text", "changes", "told"),
    [
        ("data: [\n", "", r"recipe\.yaml: not YAML: while parsing"),
        ("data: {root: x}\n", "optimizer.epochs=[3", r"--set optimizer\.epochs=\[3: not YAML"),
        ("data: {root: x}\n", "data.root.x=3", r"got 'data\.root\.x=3', but root is 'x' and has no fields"),
        ("data: {}\n", "", r"data\.root: missing; the folder of the photos"),
        ("data: {root: }\n", "", r"data\.root: got None; allowed is text"),
    ],
)
def test_broken_yaml_and_misplaced_changes_are_explained(tmp_path: Path, text: str, changes: str, told: str) -> None:
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(ConfigError, match=told):
        load_config(tmp_path / "recipe.yaml", changes)


def test_every_field_has_a_type_in_words() -> None:
    for section in get_type_hints(TrainConfig).values():
        for hint in get_type_hints(section).values() if is_dataclass(section) else (section,):
            assert "<" not in type_name(hint)
    assert type_name(Path | None) == "a path or null"
    assert type_name(Sequence[str]) == "a list of texts"


def test_what_is_no_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no recipe .*none\.yaml; .* training/configs/"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="got list; a recipe is a mapping"):
        load_config(tmp_path / "list.yaml")
    (tmp_path / "empty.yaml").write_text("optimizer: {}\n")
    with pytest.raises(ConfigError, match=r"data"):
        load_config(tmp_path / "empty.yaml")


WRONG: dict[str, dict[str, Any]] = {
    "data": {"root": "x", "image_size": 224, "photo_side": 200, "crop_scale": [0.8, 0.5], "crop_ratio": [2, 1]},
    "cross_modal": {"width": 10, "heads": 3, "layers": 0, "dropout": 1.5},
    "loss": {"lambda_con": -1, "tau": 0},
    "sampling": {"rho": 2, "rap_ratio": -0.1, "csg_anchors": 60, "acl_anchors": 70, "positives": "in_batch"},
    "optimizer": {"batch_size": 51, "epochs": 0, "accumulation": 0, "warmup": 3},
    "run": {"holdout": 1, "false_reject_rate": 1, "checkpoint_every": 0, "log_every": 0, "seeds": []},
}
NAMES = [
    *("data.photo_side", "data.crop_scale", "data.crop_ratio", "cross_modal.heads", "cross_modal.layers"),
    *("cross_modal.dropout", "loss.lambda_con", "loss.tau", "sampling.rho", "sampling.rap_ratio"),
    *("sampling.csg_anchors", "sampling.acl_anchors", "optimizer.batch_size", "optimizer.epochs"),
    *("optimizer.accumulation", "optimizer.warmup", "run.holdout", "run.false_reject_rate"),
    *("run.checkpoint_every", "run.log_every", "run.seeds"),
]


def test_all_contradictions_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, **WRONG))
    lines = str(caught.value).splitlines()[1:]
    assert sorted(line.split(":")[0].split()[0] for line in lines) == sorted(NAMES)
    assert all("got" in line or "at least" in line for line in lines)


def test_frozen_stages_need_views() -> None:
    with pytest.raises(ConfigError, match=r"data\.views: got 0 beside vision\.frozen_stages"):
        TrainConfig(data=DataConfig(root="x", views=0), vision=VisionConfig(frozen_stages=2))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"layout": "knowledge_graph"}, [r"data\.graph: missing; layout knowledge_graph needs"]),
        (
            {"graph": "g", "class_embedding": "e.npz", "hops": 0},
            [
                r"data\.graph: got 'g'; it needs data\.layout knowledge_graph",
                r"data\.class_embedding: got 'e\.npz'; it needs data\.layout knowledge_graph",
                r"data\.hops: got 0; allowed is 1 or more",
            ],
        ),
    ],
)
def test_a_graph_and_its_layout_belong_together(tmp_path: Path, data: dict[str, Any], told: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, data={"root": "x"} | data))
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == len(told)
    assert all(re.search(text, line) for text, line in zip(told, lines, strict=True))


def test_a_recipe_of_a_graph_loads(tmp_path: Path) -> None:
    data = {"root": "x", "layout": "knowledge_graph", "graph": "g", "class_embedding": "e.mat", "hops": 2}
    assert load_config(write(tmp_path, data=data)).data == DataConfig(
        root="x", layout="knowledge_graph", graph="g", class_embedding="e.mat", hops=2
    )


def test_paths_expand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTOS", "/photos")
    assert expand("$PHOTOS/CUB") == Path("/photos/CUB")
    assert expand("~/CUB") == Path.home() / "CUB"
