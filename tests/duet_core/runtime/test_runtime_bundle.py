"""A bundle opens when it is whole and is refused, file by file, when it is not."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from duet_core.runtime import BundleError, Encoder, Execution, ProviderError, ground, open_bundle, rank, rank_calibrated
from duet_core.runtime.bundle import FILES, describe_file
from tests.tiny_bundle import PREPROCESSING, SCHEMA, SEEN, picture, write_manifest, write_tiny_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "tiny")


def test_a_calibrated_ranking_has_the_bundles_numbers(folder: Path) -> None:
    bundle = open_bundle(folder)
    v = Encoder(bundle).encode([picture("red")]).v[0]
    for gamma, threshold in ((0.0, 0.25), (0.3, -0.5)):
        calibration = dataclasses.replace(bundle.calibration, gamma=gamma, temperature=0.37, threshold=threshold)
        changed = dataclasses.replace(bundle, calibration=calibration)
        got = rank_calibrated(changed, v, bundle.classes, top_k=2, candidates="all")
        numbers: dict[str, Any] = {"temperature": 0.37, "threshold": threshold, "evidence": bundle.evidence, "top_k": 2}
        assert got == rank(v, bundle.classes, gamma=gamma, **numbers)
        other = rank_calibrated(changed, v, bundle.classes, top_k=2, candidates="all", gamma=0.0)
        assert other == rank(v, bundle.classes, gamma=0.0, **numbers)


def test_an_opened_bundle_recognises_its_pictures(folder: Path) -> None:
    bundle = open_bundle(folder)
    assert bundle.classes.ids == tuple(SEEN)
    assert bundle.schema == SCHEMA
    encoded = Encoder(bundle).encode([picture("red"), picture("red", "blue"), picture("blue")])
    assert encoded.v.shape == (3, len(SCHEMA))
    rankings = [rank_calibrated(bundle, v, bundle.classes, top_k=5, candidates="all") for v in encoded.v]
    assert [ranking.predictions[0].class_id for ranking in rankings[:2]] == ["red-bird", "blue-winged-bird"]
    assert [ranking.decision.accepted for ranking in rankings] == [True, True, False]
    grounded = ground(Encoder(bundle).attribute_scores(encoded.state)[1], SCHEMA)
    assert [entry.attributes[0].key for entry in grounded[:2]] == ["wing color: blue", "crown color: red"]


def test_a_batch_gives_what_single_photos_give(folder: Path) -> None:
    encoder = Encoder(open_bundle(folder))
    images = [picture("red", "lime", side) for side in (20, 48, 91)]
    batch = encoder.encode(images)
    for row, image in enumerate(images):
        single = encoder.encode([image])
        np.testing.assert_allclose(batch.v[row], single.v[0], atol=1e-6)
        np.testing.assert_allclose(batch.state[row], single.state[0], atol=1e-6)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused_by_name(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError, match=rf"{name}: sha256 \w+, manifest.json says \w+; the file was changed"):
        open_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_cut_file_is_refused_by_name(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1])
    with pytest.raises(BundleError, match=rf"{name}: {len(data) - 1} bytes, manifest.json says {len(data)}; copy"):
        open_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: no such file"):
        open_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "format_version 2, this program reads 1"),
        ({"format_version": None}, "format_version None"),
        ({"requires": ["sparse"]}, "requires sparse, unknown here"),
        ({"files": {}}, "files lists no vision.onnx"),
        ({"schema": SCHEMA.to_json()[:-1]}, r"classes.npz: z \(4, 12\), expected \(4, 11\)"),
        ({"schema": [{"prompt": "wing"}]}, "KeyError"),
        ({"preprocessing": PREPROCESSING.to_json() | {"mean": [0, 0, 0]}}, "golden.npz says"),
        ({"preprocessing": PREPROCESSING.to_json() | {"interpolation": "nearest"}}, "allowed are bicubic, bilinear"),
    ],
)
def test_a_wrong_manifest_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    write_manifest(folder, **changes)
    with pytest.raises(BundleError, match=message):
        open_bundle(folder)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no such file; a bundle is a folder with manifest\.json"):
        open_bundle(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(BundleError, match="not JSON"):
        open_bundle(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format_version": 1, "model_id": "x"}')
    with pytest.raises(BundleError, match="without schema, preprocessing, files"):
        open_bundle(tmp_path)


def test_a_file_outside_the_folder_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder.parent / "other").write_text("x")
    manifest["files"]["../other"] = describe_file(folder.parent / "other")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"files names '\.\./other', which is no plain file name"):
        open_bundle(folder)


def test_a_model_that_computes_something_else_fails_the_golden_check(folder: Path) -> None:
    with np.load(folder / "golden.npz") as golden:
        changed = {name: golden[name] for name in golden.files}
    changed["v"] = changed["v"] + np.float32(0.01)
    np.savez(folder / "golden.npz", **changed)
    write_manifest(folder)
    with pytest.raises(BundleError, match=r"vision.onnx: on golden.png v is off by 1.00e-02, at most 0.001"):
        open_bundle(folder)


def test_models_swapped_by_mistake_are_refused(folder: Path) -> None:
    (folder / "vision.onnx").write_bytes((folder / "grounding.onnx").read_bytes())
    write_manifest(folder)
    with pytest.raises(BundleError, match=r"vision.onnx: inputs \['state'\]"):
        open_bundle(folder)


def test_a_missing_accelerator_is_an_error_not_a_slow_service(folder: Path) -> None:
    absent = {"CUDAExecutionProvider", "ROCMExecutionProvider"} - set(onnxruntime.get_available_providers())
    with pytest.raises(ProviderError, match="is not available"):
        open_bundle(folder, execution=Execution(providers=(absent.pop(),)))


def test_the_sentence_model_is_opened_once_and_only_when_used(folder: Path) -> None:
    bundle = open_bundle(folder)
    assert not bundle._text
    assert bundle.text is bundle.text


def test_importing_the_runtime_loads_no_training_library() -> None:
    program = "import sys, duet_core.runtime; print([m for m in sys.modules if m.split('.')[0] in sys.argv[1:]])"
    heavy = ["torch", "torchvision", "timm", "transformers", "scipy", "onnx", "matplotlib"]
    done = subprocess.run([sys.executable, "-c", program, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
