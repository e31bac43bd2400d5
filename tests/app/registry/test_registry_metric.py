"""Class spaces of a model whose class vectors have unit length in a metric of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.api.contrast import edits_for
from app.api.writing import near
from app.registry import blocks
from app.registry.blocks import blocks_of
from app.registry.copies import FORMAT, Copies
from app.registry.snapshot import SeenClasses, Snapshot, empty_snapshot
from app.registry.store import ClassRecord, Head
from duet_core.classes import FloatArray
from duet_core.runtime import ClassSet, rank
from duet_core.runtime.metric import EUCLIDEAN, Metric
from tests.made_metric import made_metric, predictable

ATTRIBUTES = 6
METRIC, OTHER = made_metric(0, ATTRIBUTES, 4), made_metric(1, ATTRIBUTES, 4)


def degrees_of(seed: int) -> FloatArray:
    return np.random.default_rng(seed).random(ATTRIBUTES, dtype=np.float32) * np.float32(0.9) + np.float32(0.05)


def seen(metric: Metric) -> SeenClasses:
    degrees = np.stack([degrees_of(1000), degrees_of(1001)])
    classes = ClassSet(
        ids=("s0", "s1"), labels=("S0", "S1"), seen=np.ones(2, dtype=np.bool_), z=metric.unit(degrees), metric=metric
    )
    return SeenClasses(classes=classes, degrees=degrees, schema="six")


def record(class_id: str, revision: int, degrees: FloatArray | None = None, deleted: bool = False) -> ClassRecord:
    given = degrees_of(revision) if degrees is None else degrees
    return ClassRecord(
        id=class_id, label=class_id, kind="vector", degrees=given.astype("<f4").tobytes(), schema="six",
        revision=revision, deleted=deleted,
    )  # fmt: skip


def space(metric: Metric, count: int = 9) -> Snapshot:
    """A space after single changes, so that blocks are joined; one class is replaced and one is deleted."""
    snapshot = empty_snapshot("birds", seen(metric))
    for revision in range(1, count + 1):
        snapshot = snapshot.changed([record(f"c{revision}", revision)], Head("e", revision))
    late = [record("c2", count + 1), record("c3", count + 2, deleted=True)]
    return snapshot.changed(late, Head("e", count + 2))


def check(snapshot: Snapshot, metric: Metric, expected: dict[str, int]) -> None:
    """Degrees by the revisions they were made of, and class vectors of unit length in the metric."""
    assert set(snapshot.classes.ids) == {"s0", "s1", *expected}
    assert all(view.block.metric.checksum == metric.checksum for view in snapshot.classes.views)
    for class_id, revision in expected.items():
        np.testing.assert_allclose(snapshot.degrees(class_id), degrees_of(revision), rtol=1e-5)
        row = snapshot.classes.row(class_id)
        assert row is not None
        np.testing.assert_allclose(snapshot.classes.vector(row), metric.unit(degrees_of(revision)[None])[0], rtol=1e-4)


EXPECTED = {f"c{number}": number for number in (1, 4, 5, 6, 7, 8, 9)} | {"c2": 10}


@pytest.mark.parametrize("metric", [EUCLIDEAN, METRIC], ids=["Euclid", "own"])
def test_degrees_come_back_from_blocks(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MOST_ROWS", 4)
    views = list(blocks_of([record(f"c{number}", number) for number in range(10)], metric))
    assert [len(view) for view in views] == [4, 4, 2]
    for place, view in enumerate(views):
        classes = view.block.classes
        np.testing.assert_allclose(metric.lengths(classes.z), 1, atol=1e-5)
        for row in range(len(view)):
            own = degrees_of(4 * place + row)
            np.testing.assert_allclose(view.degrees(row), own, rtol=1e-5)
            np.testing.assert_allclose(view.block.norms[row] * classes.z[row], own, rtol=1e-5)


@pytest.mark.parametrize("metric", [EUCLIDEAN, METRIC], ids=["Euclid", "own"])
def test_a_space_after_changes_and_as_it_was(metric: Metric) -> None:
    snapshot = space(metric)
    check(snapshot, metric, EXPECTED)
    before = snapshot.as_of(9, [record("c2", 2), record("c3", 3)])
    check(before, metric, {f"c{number}": number for number in range(1, 10)})
    hidden = ClassRecord(
        id="s1", label="", kind="seen", degrees=b"", schema="six", detail_json='{"hidden": true}', revision=12
    )
    shown = snapshot.changed([hidden], Head("e", 12))
    assert "s1" not in shown.classes.ids
    assert shown.classes.views[0].block.metric is snapshot.seen.classes.metric


def test_another_bundle_takes_a_space_over_only_with_the_same_metric() -> None:
    snapshot = space(METRIC)
    for other in (OTHER, EUCLIDEAN):
        assert snapshot.under(seen(other)) is None
        assert space(other).under(seen(METRIC)) is None
    assert METRIC.factor is not None
    same = seen(Metric(METRIC.factor.copy()))
    taken = snapshot.under(same)
    assert taken is not None
    assert taken.seen is same
    assert taken.views == snapshot.views
    check(taken, METRIC, EXPECTED)


def test_a_copy_is_read_in_its_own_metric_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for own, others in ((METRIC, (OTHER, EUCLIDEAN)), (EUCLIDEAN, (METRIC,))):
        Copies(tmp_path).save(space(own))
        for other in others:
            caplog.clear()
            assert Copies(tmp_path).load("birds", seen(other)) is None
            assert "left aside" in caplog.text
        read = Copies(tmp_path).load("birds", seen(own))
        assert read is not None
        check(read.snapshot, own, EXPECTED)
        further = read.snapshot.changed([record("c1", 20)], Head("e", 20))
        check(further, own, EXPECTED | {"c1": 20})


def test_a_copy_of_another_metric_is_written_anew_at_the_same_revision(tmp_path: Path) -> None:
    Copies(tmp_path).save(space(OTHER))
    Copies(tmp_path).save(space(METRIC))
    read = Copies(tmp_path).load("birds", seen(METRIC))
    assert read is not None
    check(read.snapshot, METRIC, EXPECTED)


@pytest.mark.parametrize("change", ["format", "metric"])
def test_a_copy_from_before_there_were_metrics_is_left_aside(tmp_path: Path, change: str) -> None:
    Copies(tmp_path).save(space(EUCLIDEAN))
    file = tmp_path / "birds" / "copy.json"
    told = json.loads(file.read_text())
    assert (told["format"], told["metric"]) == (FORMAT, "")
    if change == "format":
        told["format"] = FORMAT - 1
    else:
        del told["metric"]
    file.write_text(json.dumps(told))
    assert Copies(tmp_path).load("birds", seen(EUCLIDEAN)) is None
    Copies(tmp_path).save(space(EUCLIDEAN))
    assert Copies(tmp_path).load("birds", seen(EUCLIDEAN)) is not None


def test_classes_described_alike_are_found_by_their_degrees() -> None:
    snapshot = space(METRIC)
    found = near(snapshot.classes, "new", 0.5 * degrees_of(5))
    assert found[0].class_id == "c5"
    assert found[0].similarity == pytest.approx(1, abs=1e-5)
    assert [entry.class_id for entry in near(snapshot.classes, "c5", degrees_of(5))] == [
        entry.class_id for entry in found[1:]
    ]


@pytest.mark.parametrize("seed", range(6))
def test_edits_of_degrees_let_the_class_win_once_they_are_stored(seed: int) -> None:
    snapshot, v = space(METRIC), predictable(seed, METRIC)[0]
    numbers: dict[str, Any] = {"gamma": 0.05, "temperature": 1.0, "threshold": 0.0}
    best = rank(v, snapshot.classes, **numbers).predictions[0]
    keys = [str(row) for row in range(ATTRIBUTES)]
    edits = edits_for(v, snapshot, "c4", best, numbers["gamma"], keys).class_degrees
    if best.class_id == "c4" or edits is None:
        assert edits == [] or best.calibrated_score <= 0 or best.class_id != "c4"
        return
    degrees = snapshot.degrees("c4").copy()
    for edit in edits:
        assert degrees[int(edit.attribute)] == pytest.approx(edit.before)
        degrees[int(edit.attribute)] = edit.after
    after = snapshot.changed([record("c4", 30, degrees)], Head("e", 30))
    assert rank(v, after.classes, **numbers).predictions[0].class_id == "c4"


def test_a_class_that_says_nothing_to_this_model_does_not_take_the_space_along() -> None:
    """Registered under a model that knew its only attribute; none of the seen classes of this one has it."""
    assert METRIC.factor is not None
    factor = METRIC.factor.copy()
    factor[:, 0] = 0
    only = np.zeros(ATTRIBUTES, dtype=np.float32)
    only[0] = 1
    snapshot = empty_snapshot("birds", seen(Metric(factor)))
    after = snapshot.changed([record("a", 1), record("unknown", 2, only)], Head("e", 2))
    assert after.classes.row("a") is not None
    row = after.classes.row("unknown")
    assert row is not None
    v = np.ones(len(factor), dtype=np.float32) @ factor  # what such a model predicts
    assert after.classes.scores(v)[row] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(after.degrees("unknown"), only, rtol=1e-5)
