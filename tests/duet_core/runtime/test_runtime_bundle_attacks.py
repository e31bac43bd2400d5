"""Bundles made to do harm: names that lead elsewhere, links out, pickled objects, names that break log lines."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from duet_core.runtime import BundleError, open_bundle
from duet_core.runtime.bundle import FILES, describe_file
from tests.tiny_bundle import write_manifest, write_tiny_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "tiny")


class Planted:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> Any:
        return Path.mkdir, (self._mark,)


def resave(path: Path, **changes: Any) -> None:
    """Write an npz again with other arrays in it."""
    with np.load(path, allow_pickle=False) as arrays:
        kept = dict(arrays)
    np.savez(path, **(kept | changes))


@pytest.mark.parametrize("name", ["../other", "/etc/hostname", "sub/other", "..", ".hidden", "a\nb", "", "a\\b", "C:x"])
def test_a_name_that_is_a_path_is_refused(folder: Path, name: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder.parent / "other").write_text("x")
    manifest["files"][name] = describe_file(folder.parent / "other")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"manifest\.json: files names .* which is no plain file name") as refused:
        open_bundle(folder)
    assert "\n" not in str(refused.value)


def test_a_link_out_of_the_folder_is_refused_and_one_within_is_not(folder: Path) -> None:
    (folder / "..data").mkdir()
    shutil.move(folder / "vision.onnx", folder / "..data" / "vision.onnx")
    (folder / "vision.onnx").symlink_to("..data/vision.onnx")  # as Kubernetes mounts volumes
    assert open_bundle(folder).model_id == "tiny"
    shutil.move(folder / "..data" / "vision.onnx", folder.parent / "elsewhere.onnx")
    (folder / "vision.onnx").unlink()
    (folder / "vision.onnx").symlink_to(folder.parent / "elsewhere.onnx")
    with pytest.raises(BundleError, match=r"vision\.onnx: a link out of the folder; copy the file itself"):
        open_bundle(folder)


@pytest.mark.parametrize(("file", "array"), [("classes.npz", "labels"), ("classes.npz", "z"), ("golden.npz", "v")])
def test_pickled_objects_are_refused_and_never_made(folder: Path, file: str, array: str) -> None:
    mark = folder.parent / "owned"
    planted = np.array([Planted(mark)] * 4, dtype=object)
    pickle.loads(pickle.dumps(Planted(folder.parent / "proof")))
    assert (folder.parent / "proof").is_dir(), "the planted object does harm"
    resave(folder / file, **{array: planted})
    write_manifest(folder)
    with pytest.raises(BundleError, match="allow_pickle=False"):
        open_bundle(folder)
    assert not mark.exists()


@pytest.mark.parametrize("file", [name for name in FILES if name != "text.onnx"])  # that is opened on first use
def test_a_file_that_is_none_is_refused(folder: Path, file: str) -> None:
    (folder / file).write_bytes(b"PK\x03\x04 and then nothing")
    write_manifest(folder)
    with pytest.raises(BundleError, match="export the bundle again"):
        open_bundle(folder)


def test_weights_outside_of_the_folder_are_not_read(folder: Path) -> None:
    """ONNX can keep weights in a file of their own, by a path of the model's choice."""
    (folder.parent / "secret.bin").write_bytes(np.ones(4, dtype=np.float32).tobytes())
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="../secret.bin")
    graph = helper.make_graph(
        [helper.make_node("Add", ["pixels", "w"], ["v"]), helper.make_node("Identity", ["v"], ["state"])],
        "leak",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("v", "state")],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "vision.onnx").write_bytes(model.SerializeToString())
    assert onnx.load(folder / "vision.onnx", load_external_data=False).graph.initializer[0].name == "w"
    write_manifest(folder)
    with pytest.raises(BundleError, match=r"vision\.onnx|External data"):
        open_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_id": "tiny\n127.0.0.1 forged line"}, r"model_id 'tiny\\n127"),
        ({"model_id": "../../etc"}, r"model_id '\.\./\.\./etc'; allowed are"),
        ({"model_id": None}, "model_id 'None'; allowed are"),
        ({"model_id": "x" * 129}, "model_id 'xxx"),
        ({"files": []}, "files has to be such as"),
        ({"files": {"vision.onnx": "x"}}, "files has to be such as"),
        ({"files": {"vision.onnx": {"bytes": "1", "sha256": "0"}}}, "files has to be such as"),
    ],
)
def test_a_manifest_with_odd_names_is_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    write_manifest(folder, **changes)
    with pytest.raises(BundleError, match=message) as refused:
        open_bundle(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("label", ["Red\x1b[31mBird", "Red\nBird", "Red\u2028Bird", "Red\u202eBird", ""])
def test_class_names_that_break_a_line_are_refused(folder: Path, label: str) -> None:
    resave(folder / "classes.npz", labels=np.array([label, "B", "C", "D"]))
    write_manifest(folder)
    with pytest.raises(BundleError, match="names a class or an attribute; names are not empty and hold no control"):
        open_bundle(folder)
