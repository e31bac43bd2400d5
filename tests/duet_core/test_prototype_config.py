"""Fields of prototypes, fixed norms and heads from 0: contradictions are refused by the name of the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from duet_core.config import ConfigError, TrainConfig
from duet_core.config_file import load_config


def load(folder: Path, **sections: Any) -> TrainConfig:
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump({"data": {"root": "somewhere"}} | sections))
    return load_config(file)


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"vision": {"zero_head": True}}, "vision.zero_head: got true, but variant duet has no linear map"),
        ({"vision": {"fixed_norms": True, "freeze": True}}, "vision.fixed_norms: got true beside vision.freeze"),
        (
            {"prototypes": {"fit": True}, "loss": {"gamma_on": "probs"}},
            "loss.gamma_on: got 'probs' beside prototypes.fit",
        ),
        ({"prototypes": {"ridge": 0.0}}, "prototypes.ridge: got 0.0; allowed is above 0"),
        ({"prototypes": {"ridge": -0.5}}, "prototypes.ridge: got -0.5; allowed is above 0"),
        ({"prototypes": {"shrinkage": 0}}, "prototypes.shrinkage: got 0"),
        ({"prototypes": {"fit": 1.5}}, "prototypes.fit: got 1.5; allowed is true or false"),
        ({"prototypes": {"shrink": 1}}, "prototypes.shrink: no such field"),
    ],
)
def test_contradictions_are_refused_by_name(tmp_path: Path, sections: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, **sections)
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    assert len(lines) == 1
    assert lines[0].startswith(told)


def test_all_of_them_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            tmp_path,
            vision={"zero_head": True, "fixed_norms": True, "freeze": True},
            prototypes={"fit": True, "ridge": -1.0, "shrinkage": -1.0},
            loss={"gamma_on": "probs"},
        )
    told = {line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]}
    assert told == {
        "vision.zero_head", "vision.fixed_norms", "prototypes.ridge", "prototypes.shrinkage", "loss.gamma_on",
    }  # fmt: skip


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"vision": {"zero_head": True}, "variant": "vision_only"},
        {"vision": {"zero_head": True}, "cross_modal": {"direct_path": True}},
        {"vision": {"fixed_norms": True, "frozen_stages": 2}},
        {"prototypes": {"fit": True, "ridge": 0.01, "shrinkage": 100.0}},
        {"prototypes": {"fit": False}, "loss": {"gamma_on": "probs"}},
    ],
)
def test_what_fits_together_is_accepted(tmp_path: Path, sections: dict[str, Any]) -> None:
    config = load(tmp_path, **sections)
    for section, fields in sections.items():
        for name, value in fields.items() if isinstance(fields, dict) else ():
            assert getattr(getattr(config, section), name) == value


def test_none_of_it_is_on_unless_asked_for(tmp_path: Path) -> None:
    config = load(tmp_path)
    assert not any((config.vision.fixed_norms, config.vision.zero_head, config.prototypes.fit))
