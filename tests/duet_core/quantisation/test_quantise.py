"""`duet quantise`: float16 within its tolerance, int8 only past its gate, judged by who has not seen the photos."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from duet_core.benchmarks.opening import open_folder
from duet_core.commands.quantise import run
from duet_core.config import DataConfig, TrainConfig
from duet_core.quantisation import gate, int8
from duet_core.quantisation.dynamic import write_dynamic
from duet_core.quantisation.graphs import is_convolutional
from duet_core.quantisation.int8 import GateError, demand_honest_judge
from duet_core.quantisation.static import StaticQuantiser, worst_first
from duet_core.recipe import recipe
from duet_core.runtime import BundleError, Encoder, open_bundle
from tests.bird_benchmark import TRAIN, write_bird_benchmark, write_bird_bundle
from tests.duet_core.quantisation.convolutional import write_convolutional_bundle
from tests.steps import finished
from tests.tiny_bundle import picture, write_manifest, write_tiny_bundle

VALIDATION = {"photos": 12, "command": "none: made in code"}
"""`training` of a bundle of the validation run: of two classes with 8 photos each, 6 are trained on."""
TEST = {"photos": 4 * TRAIN, "command": "none: made in code"}

Writer = Callable[[Path, dict[str, object]], Path]


def transformer(folder: Path, training: dict[str, object]) -> Path:
    """A bundle whose weights are those of matrix products."""
    write_tiny_bundle(folder)
    write_manifest(folder, training=training)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bird_benchmark(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("write", [transformer, write_convolutional_bundle])
def test_int8_that_passes_is_a_bundle_that_opens_and_answers_alike(write: Writer, photos: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "source", VALIDATION)
    before = (source / "manifest.json").read_bytes()
    lines = list(run(source, photos=photos, out=tmp_path / "out", calibration=12))
    assert any(line.startswith("| network | T1") for line in "\n".join(lines).split("\n"))
    made = open_bundle(tmp_path / "out")
    assert (made.precision, made.model_id) == ("int8", "tiny-int8")
    kinds = {node.op_type for node in onnx.load(tmp_path / "out" / "vision.onnx").graph.node}
    assert kinds & {"MatMulInteger", "QuantizeLinear", "DynamicQuantizeLinear"}
    said = made.manifest["quantisation"]["gate"]
    assert (said["judged"], said["split"], said["photos"]) == ("tiny", "validation", 20)
    assert said["lost_points_of_H"] <= said["allowed_points_of_H"] == 0.5
    images = [picture("#c83232"), picture("#3232c8", "#c83232"), picture("#32c832")]  # in the range of the photos
    expected, got = (Encoder(open_bundle(folder)).encode(images).v for folder in (source, tmp_path / "out"))
    assert 0 < np.abs(got - expected).max() < 0.1
    assert (source / "manifest.json").read_bytes() == before


def test_a_bundle_trained_on_the_validation_photos_needs_a_stand_in(photos: Path, tmp_path: Path) -> None:
    served = write_bird_bundle(tmp_path / "served")
    with pytest.raises(ValueError, match=r"was trained on 32 photos.*--stand-in"):
        list(run(served, photos=photos, out=tmp_path / "out"))
    stand_in = transformer(tmp_path / "stand-in", {"photos": 12})
    lines = list(run(served, photos=photos, stand_in=stand_in, out=tmp_path / "out", test=True))
    assert "only the differences mean something" in "\n".join(lines)
    assert "96 test photos, judged once" in "\n".join(lines)
    said = open_bundle(tmp_path / "out").manifest["quantisation"]
    assert said["itself"]["photos"] == said["gate"]["photos"] == 20


def test_a_stand_in_of_another_recipe_says_nothing(photos: Path, tmp_path: Path) -> None:
    stand_in = transformer(tmp_path / "stand-in", {"photos": 12, "recipe": {"run": {"holdout": 0.2}, "variant": "x"}})
    with pytest.raises(ValueError, match="of another recipe than tiny"):
        list(run(write_bird_bundle(tmp_path / "served"), photos=photos, stand_in=stand_in, out=tmp_path / "out"))


def test_a_field_that_came_later_makes_no_other_recipe(photos: Path, tmp_path: Path) -> None:
    now = recipe(TrainConfig(data=DataConfig(root="")))
    before = {name: dict(part) if isinstance(part, dict) else part for name, part in now.items()}
    del before["optimizer"]["average"]
    served = transformer(tmp_path / "served", {**TEST, "recipe": before})
    stand_in = transformer(tmp_path / "stand-in", {"photos": 12, "recipe": now})
    benchmark = open_folder(photos)
    demand_honest_judge(open_bundle(served), open_bundle(stand_in), benchmark)
    other = {**now, "variant": "vision_only"}
    stand_in = transformer(tmp_path / "other", {"photos": 12, "recipe": other})
    with pytest.raises(ValueError, match="another recipe"):
        demand_honest_judge(open_bundle(served), open_bundle(stand_in), benchmark)


def test_a_stand_in_that_behaves_otherwise_says_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, stand_in = write_bird_bundle(tmp_path / "served"), transformer(tmp_path / "stand-in", {"photos": 12})
    monkeypatch.setattr(int8, "_MOST_UNLIKE", 0.5)
    with pytest.raises(GateError, match="so the gate says nothing of it"):
        list(run(served, photos=photos, stand_in=stand_in, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_when_too_much_is_lost(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ruined(source: Path, target: Path) -> None:
        model = onnx.load(source)
        head = next(tensor for tensor in model.graph.initializer if tensor.name == "head")
        values = onnx.numpy_helper.to_array(head)[:, ::-1].copy()  # every attribute is told by another's colour
        head.CopyFrom(onnx.numpy_helper.from_array(values, "head"))
        onnx.save(model, target)

    monkeypatch.setattr(int8, "write_dynamic", ruined)
    source, out = transformer(tmp_path / "source", VALIDATION), tmp_path / "out"
    lines = []
    with pytest.raises(GateError, match=r"loses at most 0.5 points of H .*nothing is written"):
        lines += [*run(source, photos=photos, out=out)]
    assert not out.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_float16_keeps_its_interface_and_the_golden_picture(tmp_path: Path) -> None:
    source = write_tiny_bundle(tmp_path / "source")
    (line,) = run(source, to="fp16")
    assert "source-fp16: vision.onnx" in line
    made = open_bundle(tmp_path / "source-fp16")
    assert (made.precision, made.model_id) == ("float16", "tiny-float16")
    assert {node.type for node in (*made.vision.get_inputs(), *made.vision.get_outputs())} == {"tensor(float)"}
    head = next(t for t in onnx.load(made.folder / "vision.onnx").graph.initializer if t.name == "head")
    assert head.data_type == onnx.TensorProto.FLOAT16
    with np.load(source / "golden.npz") as golden, np.load(made.folder / "golden.npz") as kept:
        assert (golden["v"] == kept["v"]).all()


def test_float16_too_far_off_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_tiny_bundle(tmp_path / "source")
    monkeypatch.setattr("duet_core.quantisation.writing.LEAST_PRECISE", 1e-9)
    with pytest.raises(BundleError, match=r"float16 is off by .* this network needs float32"):
        list(run(source, to="fp16"))
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_quantised_bundle_is_not_quantised_again(tmp_path: Path) -> None:
    list(run(write_tiny_bundle(tmp_path / "source"), to="fp16"))
    with pytest.raises(ValueError, match="computes in float16; give the float32 bundle"):
        list(run(tmp_path / "source-fp16", to="fp16"))


def test_int8_needs_photos(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--photos: nothing was given"):
        list(run(write_tiny_bundle(tmp_path / "source")))


def test_another_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(BundleError, match="exists and is no bundle"):
        list(run(write_tiny_bundle(tmp_path / "source"), to="fp16", out=tmp_path / "mine"))
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_the_loss_of_a_model_beside_itself_is_nothing_and_errors_are_by_attribute(photos: Path, tmp_path: Path) -> None:
    from duet_core.benchmarks import load_xlsa17

    bundle, benchmark = open_bundle(transformer(tmp_path / "b", VALIDATION)), load_xlsa17(photos)
    steps = gate.judge_all({"a": bundle, "b": bundle}, benchmark, benchmark.validation_split())
    _, both = finished(steps)
    same = gate.compare(both["a"], both["b"])
    assert (same.points, same.error, same.agreement, set(same.attribute_error)) == (0, 0, 1, {0})
    shifted = both["b"].v.copy()
    shifted[:, 3] += 0.25
    seen = len(both["b"].seen)
    object.__setattr__(both["b"].seen, "v", shifted[:seen])
    object.__setattr__(both["b"].unseen, "v", shifted[seen:])
    both["b"].__dict__.pop("v", None)
    moved = gate.compare(both["a"], both["b"])
    spread = max(float(both["a"].v[:, 3].std()), 0.01 * float(both["a"].v.std()))
    assert moved.attribute_error[3] == pytest.approx(0.25 / spread, rel=1e-3)
    assert sum(moved.attribute_error) == pytest.approx(moved.attribute_error[3])
    assert moved.to_json(bundle.schema.keys)["attribute_error"]["worst_attribute"] == bundle.schema.keys[3]


def test_nodes_left_out_stay_in_float32(tmp_path: Path) -> None:
    folder = write_convolutional_bundle(tmp_path / "c", VALIDATION)
    assert is_convolutional(folder / "vision.onnx")
    assert not is_convolutional(write_tiny_bundle(tmp_path / "t") / "vision.onnx")
    pixels = np.random.default_rng(0).uniform(-1, 1, (24, 3, 32, 32)).astype(np.float32)
    quantiser = StaticQuantiser(folder / "vision.onnx", pixels)
    errors = quantiser.errors_alone(pixels[:8])
    assert set(errors) == set(quantiser.nodes)
    assert all(0 < error < 0.2 for error in errors.values())
    for skipped in worst_first(errors):
        graph = quantiser.quantised(skipped=[skipped]).graph
        weights = {node.name: node.input[1] for node in graph.node if node.name in quantiser.nodes}
        in_int8 = {name for name, weight in weights.items() if "DequantizeLinear" in weight}
        assert in_int8 == set(quantiser.nodes) - {skipped}


def test_products_of_activations_stay_in_float32(tmp_path: Path) -> None:
    source = write_tiny_bundle(tmp_path / "b") / "grounding.onnx"
    write_dynamic(source, tmp_path / "q.onnx")
    kinds = [node.op_type for node in onnx.load(tmp_path / "q.onnx").graph.node]
    assert "MatMulInteger" in kinds
    weights = [t for t in onnx.load(tmp_path / "q.onnx").graph.initializer if t.data_type == onnx.TensorProto.INT8]
    values = np.concatenate([onnx.numpy_helper.to_array(t).ravel() for t in weights])
    assert -64 <= values.min() <= values.max() <= 64  # 7 bits: no CPU's sums of products overflow


def test_quantising_imports_no_torch() -> None:
    code = (
        "import sys, duet_core.quantisation.int8, duet_core.quantisation.float16, duet_core.quantisation.writing; "
        "print([m for m in ('torch', 'timm', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_manifest_is_json_with_plain_numbers(tmp_path: Path) -> None:
    list(run(write_tiny_bundle(tmp_path / "source"), to="fp16"))
    manifest = json.loads((tmp_path / "source-fp16" / "manifest.json").read_text())
    assert 0 < manifest["quantisation"]["max_abs_difference_v"] < manifest["golden_tolerance"]
