"""`duet finder` from end to end: a bundle that finds, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file

from duet_core.benchmarks import Benchmark, load_xlsa17
from duet_core.commands import finder
from duet_core.runtime import Encoder, load_rgb, open_bundle
from duet_core.runtime.bundle import renew_files
from tests.bird_benchmark import write_bird_benchmark, write_bird_bundle
from tests.duet_core.finding.whole_scenes import write_scenes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return load_xlsa17(write_bird_benchmark(tmp_path_factory.mktemp("data") / "birds"))


@pytest.fixture(scope="module")
def recipe(benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    torch.manual_seed(0)
    save_file(timm.create_model("test_efficientnet", pretrained=False).state_dict(), folder / "encoder.safetensors")
    plain = {
        "data": {"root": str(benchmark.image_paths[0].parents[2]), "image_size": 32, "photo_side": 40},
        "vision": {"name": "test_efficientnet", "weights": str(folder / "encoder.safetensors")},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(plain))
    return folder / "recipe.yaml"


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of trainval, with all that its card tells; the boxes' cache lies in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    folder = write_bird_bundle(tmp_path / "tiny")
    training = {"photos": 32, "data": "birds", "seen_classes": 4, "unseen_classes": 2, "command": "none", "seed": 3}
    language = {"name": "tiny", "cosine_to_float32": {"phrases": 1, "mean": 1.0, "min": 1.0}}
    renew_files(
        folder,
        [],
        training=training,
        metrics={"test": []},
        parity={"max_abs_difference_v": 0.0},
        language_model=language,
    )
    return folder


def test_a_bundle_learns_to_find(benchmark: Benchmark, recipe: Path, bundle: Path, tmp_path: Path) -> None:
    held_out = benchmark.test_seen[:2]
    whole = write_scenes(tmp_path / "whole", benchmark, (*benchmark.trainval, *held_out))
    before = open_bundle(bundle).checksum
    lines = list(finder.run(recipe, whole, bundle=bundle, stages=2, side=64, epochs=8))
    assert lines[-3] == "fitted on 32 whole photos of seen classes"
    assert lines[-2].startswith("on 2 held-out ones: mean IoU 0.")
    assert lines[-1].startswith(f"{bundle / 'finder.onnx'}: ")
    opened = open_bundle(bundle)
    assert opened.checksum != before
    told = json.loads((bundle / "manifest.json").read_text())["finder"]
    assert told["held_out"]["photos"] == 2
    assert "fitted on 32 whole photos of seen classes; on 2 held-out" in (bundle / "README.md").read_text()
    assert told["fitted_on"] == "32 whole photos of seen classes"
    assert Encoder(opened).look(load_rgb(next(whole.glob("*/*.jpg")))).box is not None


def test_a_bundle_of_another_split_is_refused(recipe: Path, bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="was trained on 32 photos"):
        list(finder.run(recipe, tmp_path, bundle=bundle, split="validation"))


def test_too_few_whole_photos_leave_the_bundle_as_it_was(
    benchmark: Benchmark, recipe: Path, bundle: Path, tmp_path: Path
) -> None:
    whole = write_scenes(tmp_path / "whole", benchmark, (benchmark.trainval[0], benchmark.test_seen[0]))
    before = open_bundle(bundle).checksum
    with pytest.raises(ValueError, match="1 whole photos with a known box; at least 32"):
        list(finder.run(recipe, whole, bundle=bundle))
    assert open_bundle(bundle).checksum == before
