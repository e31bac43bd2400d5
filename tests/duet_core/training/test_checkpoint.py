"""Checkpoints: whole or not there, and only for the run that wrote them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from duet_core.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from duet_core.config import DataConfig, TrainConfig
from duet_core.recipe import changed_fields, recipe
from tests.duet_core.tiny_world import with_field

CONFIG = TrainConfig(data=DataConfig(root="x"))
CPU = torch.device("cpu")


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "checkpoint.pt"
    assert load_checkpoint(file, CONFIG, seed=1, device=CPU) is None
    save_checkpoint(file, CONFIG, seed=1, step=7, model={"w": torch.arange(3)}, seconds=1.5)
    state = load_checkpoint(file, CONFIG, seed=1, device=CPU)
    assert state is not None
    assert (state["step"], state["seconds"], state["model"]["w"].tolist()) == (7, 1.5, [0, 1, 2])
    assert [entry.name for entry in file.parent.iterdir()] == ["checkpoint.pt"]


def test_a_write_that_is_cut_off_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "checkpoint.pt"
    save_checkpoint(file, CONFIG, seed=0, step=1)

    def killed(_: Any, target: Path) -> None:
        target.write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr("duet_core.checkpoint.torch.save", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(file, CONFIG, seed=0, step=2)
    state = load_checkpoint(file, CONFIG, seed=0, device=CPU)
    assert state is not None
    assert state["step"] == 1
    file.unlink()  # what was cut off is never taken for a checkpoint
    assert load_checkpoint(file, CONFIG, seed=0, device=CPU) is None


def test_another_seed_or_recipe_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pt"
    save_checkpoint(file, CONFIG, seed=0, step=1)
    with pytest.raises(CheckpointError, match="seed changed; choose another --out"):
        load_checkpoint(file, CONFIG, seed=1, device=CPU)
    with pytest.raises(CheckpointError, match=r"sampling\.rho changed"):
        load_checkpoint(file, with_field(CONFIG, "sampling", rho=0.9), seed=0, device=CPU)
    assert load_checkpoint(file, with_field(CONFIG, "run", log_every=3, seeds=(5,)), seed=0, device=CPU)
    assert load_checkpoint(file, with_field(CONFIG, "data", cache="elsewhere"), seed=0, device=CPU)


def test_a_field_younger_than_the_file_counts_as_its_default() -> None:
    then = json.loads(json.dumps(recipe(CONFIG)))
    assert changed_fields(then, CONFIG) == []
    del then["sampling"]["rho"], then["vision"]
    assert changed_fields(then, CONFIG) == []
    assert changed_fields(then, with_field(CONFIG, "sampling", rho=0.9)) == ["sampling.rho"]
