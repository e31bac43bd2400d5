"""The recipes of the paper's benchmarks, and every recipe of the repository built at its real size."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from benchmarks import recipes
from duet_core.config import TrainConfig
from duet_core.config_file import load_config
from duet_core.model import build
from duet_core.model.duet import Duet
from duet_core.model.language import LanguageEncoder
from tests.duet_core.tiny_world import TinyWorld

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "training" / "configs"
RECIPES = sorted(file.stem for file in FOLDER.glob("*.yaml"))
TABLE_4 = {  # λ_cmr, λ_acl, ρ
    "awa2": (1.0, 0.01, 0.4),
    "cub": (5.0, 0.001, 0.4),
    "sun": (1.0, 0.01, 0.5),
    "awa2_kg": (0.5, 0.01, 0.4),
}
ENCODERS = {
    "awa2": ("deit_base_distilled_patch16_224", "cls", 768),
    "cub": ("deit_base_distilled_patch16_224", "cls", 768),
    "sun": ("swin_base_patch4_window7_224", "pooled", 1024),
    "awa2_kg": ("deit_base_distilled_patch16_224", "cls", 768),
}
ATTRIBUTES = 7
AT_448 = "data.image_size=448 data.photo_side=512 vision.arguments.img_size=448"
"""As docs/benchmarks.md says it."""


@pytest.fixture
def language_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """A BERT-base without weights in place of every language model: transformers loads none on the meta device."""

    def sized(*, frozen_layers: int, **_: object) -> LanguageEncoder:
        return LanguageEncoder(network=BertModel(BertConfig(), add_pooling_layer=False), frozen_layers=frozen_layers)

    monkeypatch.setattr(build, "load_language_encoder", sized)


def built(config: TrainConfig) -> Duet:
    """The model at its real size on the meta device, where nothing is computed, fetched or kept."""
    with torch.device("meta"):
        vision = replace(config.vision, pretrained=False, weights=None)
        return build.build_duet(replace(config, vision=vision), attributes=ATTRIBUTES, seed=0).eval()


def v_of(model: Duet, *, side: int) -> torch.Tensor:
    """v of two photos of `side` pixels beside a template of five tokens."""
    text = torch.zeros(1, 5, model.attribute_head.in_features, device="meta")
    images = model.image_states(model.vision.trunk(torch.zeros(2, 3, side, side, device="meta")))
    return model.attributes(images, text, torch.ones(1, 5, dtype=torch.bool, device="meta"))


@pytest.mark.usefixtures("language_models")
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_built_and_gives_v(name: str) -> None:
    config = load_config(FOLDER / f"{name}.yaml")
    model = built(config)
    assert v_of(model, side=config.data.image_size).shape == (2, ATTRIBUTES)
    preprocessing = build.build_preprocessing(config.vision, model.vision, size=config.data.image_size)
    assert preprocessing.size == config.data.image_size <= preprocessing.resize


@pytest.mark.usefixtures("language_models")
@pytest.mark.parametrize("name", ["cub", "sun"])
def test_papers_encoders_at_448(name: str) -> None:
    assert AT_448 in (ROOT / "docs" / "benchmarks.md").read_text()
    config = load_config(FOLDER / f"{name}.yaml", AT_448)
    model = built(config)
    assert v_of(model, side=config.data.image_size).shape == (2, ATTRIBUTES)
    assert model.vision.num_features == ENCODERS[name][2]


@pytest.mark.parametrize("arguments", [{}, {"img_size": 448}, {"dynamic_img_size": True}])
def test_vit_base_at_both_sizes(arguments: dict[str, int | bool]) -> None:
    config = replace(load_config(FOLDER / "cub.yaml").vision, pretrained=False, arguments=dict(arguments))
    with torch.device("meta"):
        vision = build.build_vision(replace(config, name="vit_base_patch16_224"))
    side = 448 if arguments else 224
    assert vision(torch.zeros(2, 3, side, side, device="meta")).shape == (2, 768)


@pytest.mark.parametrize("name", TABLE_4)
def test_values_are_those_of_table_4_and_a_5(name: str) -> None:
    config = load_config(FOLDER / f"{name}.yaml")
    loss, sampling, optimizer = config.loss, config.sampling, config.optimizer
    assert (loss.lambda_cmr, loss.lambda_acl, sampling.rho) == TABLE_4[name]
    assert (loss.lambda_ar, loss.lambda_sc, loss.lambda_con, loss.tau) == (0.01, 0.001, 0.05, 0.05)
    assert (sampling.rap_ratio, config.cross_modal.layers, loss.csg_v) == (0.5, 1, "sentence")
    assert (sampling.csg_anchors, sampling.acl_anchors, sampling.con_anchors) == (None, None, None)
    assert (optimizer.batch_size * optimizer.accumulation, optimizer.betas) == (50, (0.9, 0.999))
    assert {optimizer.lr_vision, optimizer.lr_language, optimizer.lr_cross_modal, optimizer.lr_new} == {3e-5}
    encoder, token, _ = ENCODERS[name]
    assert (config.vision.name.split(".")[0], config.vision.visual_token) == (encoder, token)
    assert config.language.name == "bert-base-uncased"


@pytest.mark.parametrize("name", TABLE_4)
def test_every_paper_recipe_opens_with_what_a_reader_needs(name: str) -> None:
    text = (FOLDER / f"{name}.yaml").read_text()
    opening = text[: text.index("\ndata:")]
    lines = opening.splitlines()
    assert all(line.startswith("# ") for line in lines)
    for entry in (
        "Paper: Chen et al.",
        "Table",
        "Launch: duet ",
        "Hardware: ",
        "Expected time: ",
        "Expected in the paper: ",
    ):
        assert entry in opening
    lambdas = f"λ_cmr {TABLE_4[name][0]:g}, λ_acl {TABLE_4[name][1]:g}, ρ {TABLE_4[name][2]:g}"
    assert lambdas in opening
    assert "chosen on validation classes" in opening


@pytest.mark.slow
def test_expected_hours_are_those_that_the_benchmark_counts() -> None:
    for name in TABLE_4:
        told = re.search(r"Expected time: at most ([\d.]+) h a seed", (FOLDER / f"{name}.yaml").read_text())
        assert told is not None
        assert told[1] == f"{float(recipes.row(name, recipes.ASSUMED_TFLOPS)[-1]):.1f}"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), [("cub", 448), ("sun", 224)])
def test_real_weights_can_be_made_and_run(name: str, side: int, tiny_world: TinyWorld) -> None:
    config = load_config(FOLDER / f"{name}.yaml", f"vision.arguments.img_size={side} vision.pretrained=false")
    config = replace(config, language=replace(config.language, name=str(tiny_world.folder / "language")))
    model = build.build_duet(config, attributes=ATTRIBUTES, seed=0).eval()
    text, mask = torch.tensor([[2, 5, 6, 3]]), torch.ones(1, 4, dtype=torch.bool)
    with torch.no_grad():
        v = model.attributes(model.image_states(torch.zeros(1, 3, side, side)), model.text_states(text, mask), mask)
    assert v.shape == (1, ATTRIBUTES)
    assert bool(torch.isfinite(v).all())
