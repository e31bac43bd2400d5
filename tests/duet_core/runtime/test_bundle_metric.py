"""Bundles whose class vectors have unit length in a metric of the model's own, and what a manifest may require."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from duet_core.bulk.classes import read_classes
from duet_core.classes import FloatArray
from duet_core.runtime import BundleError, open_bundle
from duet_core.runtime.metric import EUCLIDEAN, Metric
from tests.made_metric import made_metric
from tests.tiny_bundle import ALL_BLUE, SCHEMA, degrees, write_manifest, write_tiny_bundle

METRIC = made_metric(0, len(SCHEMA), 9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "tiny")


def give(folder: Path, factor: Any, z: FloatArray | None = None, **changes: Any) -> None:
    """Put a metric into the bundle, and class vectors of unit length in it unless others are given."""
    with np.load(folder / "classes.npz") as arrays:
        held = {name: arrays[name] for name in arrays.files}
    vectors = Metric(factor).unit(held["degrees"]) if z is None else z
    np.savez(folder / "classes.npz", **held | {"metric": factor, "z": vectors})
    write_manifest(folder, **{"requires": ["metric"]} | changes)


def test_a_bundle_with_a_metric_opens(folder: Path) -> None:
    assert open_bundle(folder).classes.metric is EUCLIDEAN
    give(folder, METRIC.factor)
    bundle = open_bundle(folder)
    assert bundle.classes.metric.checksum == METRIC.checksum
    assert bundle.evidence.metric is bundle.classes.metric
    np.testing.assert_allclose(METRIC.lengths(bundle.classes.z), 1, atol=1e-5)
    assert bundle.classes.metric.factor is not None
    assert not bundle.classes.metric.factor.flags.writeable


@pytest.mark.parametrize(
    "requires", [["sparse"], ["metric", "sparse"], "sparse", [["metric"]], [3], {"sparse": 1}], ids=str
)
def test_what_this_release_does_not_know_is_refused(folder: Path, requires: Any) -> None:
    give(folder, METRIC.factor, requires=requires)
    with pytest.raises(BundleError, match=r"requires .*unknown here; install a newer release"):
        open_bundle(folder)


@pytest.mark.parametrize("requires", [None, 3, True], ids=str)
def test_requires_that_is_no_list_is_no_crash(folder: Path, requires: Any) -> None:
    """null was the same as nothing until now."""
    write_manifest(folder, requires=requires)
    try:
        open_bundle(folder)
    except BundleError:
        assert requires is not None


@pytest.mark.parametrize(
    "factor",
    [
        np.eye(3, dtype=np.float32),
        np.ones(len(SCHEMA), dtype=np.float32),
        np.full((4, len(SCHEMA)), np.nan, dtype=np.float32),
        np.zeros((4, len(SCHEMA)), dtype=np.float32),
        np.array("text"),
    ],
    ids=["narrow", "one row only", "not a number", "nothing", "text"],
)
def test_a_metric_that_is_none_is_refused(folder: Path, factor: Any) -> None:
    with np.load(folder / "classes.npz") as arrays:
        z = arrays["z"]
    give(folder, factor, z=z)
    with pytest.raises(BundleError):
        open_bundle(folder)


def test_class_vectors_that_are_not_of_the_metric_are_refused(folder: Path) -> None:
    with np.load(folder / "classes.npz") as arrays:
        z = arrays["z"]
    give(folder, METRIC.factor, z=z)
    with pytest.raises(BundleError, match="class vectors have unit norm"):
        open_bundle(folder)


def line(class_id: str, given: FloatArray) -> str:
    return json.dumps({"id": class_id, "label": class_id, "degrees": given.tolist()})


def test_classes_of_a_file_have_unit_length_in_the_bundles_metric(folder: Path) -> None:
    give(folder, METRIC.factor)
    bundle, own = open_bundle(folder), degrees(ALL_BLUE)
    classes = read_classes(line("all-blue", own).encode(), ".jsonl", bundle)
    row = classes.row("all-blue")
    assert row is not None
    np.testing.assert_allclose(classes.vector(row), METRIC.unit(own[None])[0], rtol=1e-5)
    assert {view.block.metric.checksum for view in classes.views} == {METRIC.checksum}


def test_a_class_of_a_file_that_says_nothing_to_the_model_fits_no_photo(folder: Path) -> None:
    assert METRIC.factor is not None
    factor = METRIC.factor.copy()
    factor[:, SCHEMA.keys.index("wing pattern: striped")] = 0
    give(folder, factor)
    striped = degrees({"wing pattern: striped": 1})
    data = "\n".join([line("all-blue", degrees(ALL_BLUE)), line("striped", striped)])
    classes = read_classes(data.encode(), ".jsonl", open_bundle(folder))
    row = classes.row("striped")
    assert row is not None
    v = np.ones(len(factor), dtype=np.float32) @ factor  # what this model can predict
    assert np.isfinite(classes.z).all()
    assert classes.scores(v)[row] == pytest.approx(0, abs=1e-6)
