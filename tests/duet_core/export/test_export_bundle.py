"""`duet export` from a finished run to an opened bundle, and what it refuses to write."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel

from duet_core import cli
from duet_core.checkpoint import load_checkpoint
from duet_core.class_names import class_id, class_label
from duet_core.commands.export import train_command
from duet_core.config_file import load_config
from duet_core.experiment import Experiment
from duet_core.export import bundle_writer
from duet_core.export.folding import FoldedVision, SentenceEmbedding, fold_grounding
from duet_core.runtime import Encoder, open_bundle
from duet_core.runtime.preprocess import load_rgb
from duet_core.task import DuetTask
from tests.duet_core.tiny_world import TinyWorld


@dataclass(frozen=True)
class Exported:
    """A finished run and the bundle made of it."""

    recipe: Path
    runs: Path
    bundle: Path

    def export(self, out: Path, *more: str) -> int:
        return cli.main(["export", str(self.recipe), "--runs", str(self.runs), "--out", str(out), *more])


@pytest.fixture(scope="module")
def exported(tiny_world: TinyWorld, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("export")
    recipe = tiny_world.write_recipe(folder / "tiny.yaml")
    made = Exported(recipe, folder / "runs", folder / "models" / "tiny")
    assert cli.main(["train", str(recipe), "--out", str(made.runs)]) == 0
    assert made.export(made.bundle) == 0
    return made


def trained(exported: Exported) -> tuple[Experiment, DuetTask]:
    config = load_config(exported.recipe)
    experiment = Experiment(config, device=torch.device("cpu"))
    split = experiment.split("test")
    task = experiment.build_task(split, experiment.planner(split), seed=0)
    assert isinstance(task, DuetTask)
    state = load_checkpoint(exported.runs / "test/seed0/checkpoint.pt", config, seed=0, device=experiment.device)
    assert state is not None
    task.model.load_state_dict(state["model"])
    return experiment, task.eval()


def test_the_bundle_opens_and_says_where_it_comes_from(exported: Exported) -> None:
    bundle = open_bundle(exported.bundle)
    assert bundle.model_id == "tiny-duet-seed0"
    assert bundle.classes.ids == ("wren", "crow", "robin", "jay", "heron")
    manifest = bundle.manifest
    assert manifest["training"]["command"] == f"duet train {exported.recipe}"
    assert (manifest["training"]["photos"], manifest["training"]["unseen_classes"]) == (25, 2)
    assert manifest["metrics"]["test"][0]["seed"] == 0
    assert manifest["parity"]["max_abs_difference_v"] <= 1e-4
    calibration = json.loads((exported.runs / "calibration.json").read_text())
    assert bundle.calibration.gamma == calibration["gamma"]
    card = (exported.bundle / "README.md").read_text()
    assert card.startswith("# tiny-duet-seed0")
    assert f"{calibration['gamma']:.4f}" in card
    assert not list(exported.bundle.parent.glob(".*"))


def test_v_state_and_scores_on_a_photo_are_those_of_torch(exported: Exported) -> None:
    experiment, task = trained(exported)
    encoder = Encoder(open_bundle(exported.bundle))
    photo = experiment.benchmark.image_paths[20]
    encoded = encoder.encode([load_rgb(photo)])
    pixels = torch.from_numpy(encoder.prepare(load_rgb(photo)))[None]
    with torch.no_grad():
        v, state = task.predict(task.model.vision.trunk(pixels))
    np.testing.assert_allclose(encoded.v, v.numpy(), atol=1e-4)
    np.testing.assert_allclose(encoded.state, state.numpy(), atol=1e-4)
    in_training = experiment.predict(task, np.array([20]))  # the frozen stages are cached as float16
    np.testing.assert_allclose(encoded.v, in_training, atol=1e-2)
    correction = experiment.sampling_correction(experiment.split("test"))
    with torch.no_grad():
        sentences, tokenizer = experiment.template_builder, experiment.tokenizer
        folded = fold_grounding(task.model, sentences, tokenizer, correction=correction, piece_score="mean")
        scores = folded.eval()(state)
    np.testing.assert_allclose(encoder.attribute_scores(encoded.state), scores.numpy(), atol=1e-4)


def test_sentences_are_embedded_as_the_language_model_does(exported: Exported) -> None:
    experiment, _ = trained(exported)
    bundle = open_bundle(exported.bundle)
    cosine = bundle.manifest["language_model"]["cosine_to_float32"]
    assert cosine["phrases"] == 4
    assert 0.99 < cosine["min"] <= cosine["mean"] <= 1 + 1e-6
    for row, attribute in enumerate(experiment.benchmark.schema.attributes):
        encoding = bundle.tokenizer.encode(attribute.phrase)
        assert encoding.ids == experiment.tokenizer(attribute.phrase)["input_ids"]
        ids = np.array([encoding.ids])
        (embedding,) = bundle.text.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        np.testing.assert_allclose(embedding[0], bundle.attribute_embeddings[row], atol=2e-3)
        assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-4)


def test_two_sentences_of_the_same_length_have_embeddings_of_their_own(exported: Exported) -> None:
    """Against torch, not against the bundle: a graph that takes the mask for the words embeds lengths."""
    experiment, _ = trained(exported)
    bundle = open_bundle(exported.bundle)
    network = AutoModel.from_pretrained(experiment.config.language.name, add_pooling_layer=False).eval()
    phrases = [attribute.phrase for attribute in experiment.benchmark.schema.attributes]
    encoded = [bundle.tokenizer.encode(phrase).ids for phrase in phrases]
    first, second = next((a, b) for a in encoded for b in encoded if len(a) == len(b) and a != b)
    ids = np.array([first, second])
    (got,) = bundle.text.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    with torch.no_grad():
        wanted = SentenceEmbedding(network)(torch.from_numpy(ids), torch.ones(ids.shape, dtype=torch.long)).numpy()
    assert ((got * wanted).sum(axis=1) > 0.97).all()
    assert np.abs(got[0] - got[1]).max() > 0.5 * np.abs(wanted[0] - wanted[1]).max()


def test_files_name_no_folder_of_this_machine(exported: Exported) -> None:
    root = str(Path(__file__).resolve().parents[3]).encode()
    for file in exported.bundle.glob("*.onnx"):
        assert root not in file.read_bytes(), file.name
        assert b"site-packages" not in file.read_bytes(), file.name


def snapshot(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_graph_that_differs_from_torch_is_refused_and_the_old_bundle_stays(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(exported.bundle)

    class Broken(FoldedVision):
        """Forgets a little of v."""

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            v, state = super().forward(pixels)
            return v * 1.01, state

    monkeypatch.setattr(bundle_writer, "FoldedVision", Broken)
    assert exported.export(exported.bundle) == 2
    assert "vision.onnx: v: differs from torch by" in capsys.readouterr().err
    assert snapshot(exported.bundle) == before
    assert sorted(path.name for path in exported.bundle.parent.iterdir()) == ["tiny"]


def test_a_late_failure_leaves_the_old_bundle_in_place(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(exported.bundle)

    def full(*_: Any) -> str:
        raise OSError("no space left on device")

    for early in ("_write_vision", "_write_grounding", "write_language"):
        monkeypatch.setattr(bundle_writer, early, lambda *_: {})
    monkeypatch.setattr(bundle_writer, "_write_classes", full)
    assert exported.export(exported.bundle) == 2
    assert "no space left on device" in capsys.readouterr().err
    assert snapshot(exported.bundle) == before


def test_folders_of_other_things_are_never_replaced(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")
    assert exported.export(tmp_path) == 2
    assert "exists and is no bundle" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "the only copy"


def test_runs_that_are_not_finished_or_have_no_language_are_refused(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exported.export(tmp_path / "new", "--seed", "5") == 2
    assert "no finished run in" in capsys.readouterr().err
    assert exported.export(tmp_path / "new", "--set", "variant=vision_only") == 2
    assert "only 'duet' has a language side to export" in capsys.readouterr().err
    assert exported.export(tmp_path / "new", "--set", "loss.lambda_cmr=9", "--set", "loss.tau=0.1") == 2
    assert "loss.lambda_cmr, loss.tau changed" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_manifests_command_repeats_every_change() -> None:
    told = train_command(Path("my birds.yaml"), ["loss.tau=0.1 run.holdout=0.3", "run.seeds=[1]"])
    assert told == "duet train 'my birds.yaml' --set 'loss.tau=0.1 run.holdout=0.3' --set 'run.seeds=[1]'"


@pytest.mark.parametrize(
    ("name", "label", "identity"),
    [
        ("016.Painted_Bunting", "Painted Bunting", "painted-bunting"),
        ("grizzly+bear", "grizzly bear", "grizzly-bear"),
        ("113.Baird_Sparrow", "Baird Sparrow", "baird-sparrow"),
    ],
)
def test_class_names_become_labels_and_ids(name: str, label: str, identity: str) -> None:
    assert class_label(name) == label
    assert class_id(label) == identity


def test_calibrate_renews_a_bundles_calibration_and_card(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(exported.bundle, bundle)
    words = ["calibrate", str(exported.recipe), "--runs", str(exported.runs), "--bundle", str(bundle)]
    assert cli.main([*words, "--set", "run.false_reject_rate=0.5"]) == 0
    printed = json.loads(capsys.readouterr().out)
    opened = open_bundle(bundle)  # checksums hold
    assert opened.calibration.to_json() == printed
    assert opened.calibration.false_reject_rate == 0.5
    assert opened.calibration.threshold > open_bundle(exported.bundle).calibration.threshold
    assert "refuses\n50% of those photos wrongly" in (bundle / "README.md").read_text()
    before = (bundle / "calibration.json").read_bytes()
    assert cli.main([*words, "--set", "loss.tau=0.1"]) == 2
    assert "loss.tau changed" in capsys.readouterr().err
    assert (bundle / "calibration.json").read_bytes() == before


def test_the_card_says_of_the_data_what_it_is_told(exported: Exported, tmp_path: Path) -> None:
    card = tmp_path / "card.yaml"
    card.write_text("licence: For tests only.\nlimits: [Drawn by chance.]\n")
    assert exported.export(tmp_path / "told", "--card", str(card)) == 0
    text = (tmp_path / "told" / "README.md").read_text()
    assert "For tests only." in text
    assert "- Drawn by chance.\n- Attributes are those of the class" in text
    assert "bird" not in text
    untold = (exported.bundle / "README.md").read_text()
    assert "The licence of the data was not told." in untold


def test_a_card_of_another_form_is_refused(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "card.yaml"
    card.write_text("license: For tests only.\n")
    assert exported.export(tmp_path / "told", "--card", str(card)) == 2
    assert "entries licence" in capsys.readouterr().err
    assert not (tmp_path / "told").exists()
