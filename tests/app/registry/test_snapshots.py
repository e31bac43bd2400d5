"""Snapshots after any sequence of changes, what they share with the one before, and their copies on disk."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.registry import blocks
from app.registry.copies import Copies
from app.registry.snapshot import SeenClasses, Snapshot, empty_snapshot
from app.registry.store import ClassRecord, Head, settings_record
from duet_core.classes import FloatArray, unit_rows
from duet_core.runtime import ClassSet

DEGREES = np.array([[1, 0, 0], [0.5, 1, 0]], dtype=np.float32)
SEEN = SeenClasses(
    classes=ClassSet(ids=("s0", "s1"), labels=("S0", "S1"), seen=np.ones(2, dtype=np.bool_), z=unit_rows(DEGREES)),
    degrees=DEGREES,
    schema="three",
)
EMPTY = empty_snapshot("birds", SEEN)
numbers = itertools.count()


def record(class_id: str, revision: int, *, deleted: bool = False, expires_at: float | None = None) -> ClassRecord:
    degrees = np.random.default_rng(revision).random(3, dtype=np.float32) + np.float32(0.01)
    return ClassRecord(
        id=class_id,
        label=f"{class_id} {revision}",
        kind="vector",
        degrees=degrees.astype("<f4").tobytes(),
        schema="three",
        revision=revision,
        deleted=deleted,
        expires_at=expires_at,
    )


def seen_record(class_id: str, revision: int, *, label: str = "", hidden: bool = False) -> ClassRecord:
    detail = '{"hidden": true}' if hidden else "{}"
    return ClassRecord(
        id=class_id, label=label, kind="seen", degrees=b"", schema="three", detail_json=detail, revision=revision
    )


def shown(snapshot: Snapshot) -> list[tuple[str, str]]:
    return list(zip(snapshot.classes.ids, snapshot.classes.labels, strict=True))


BATCHES = st.lists(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=6), max_size=25)


@given(batches=BATCHES)
@settings(max_examples=60, deadline=None)
def test_any_changes_agree_with_a_dictionary_and_lead_back(batches: list[list[tuple[str, bool]]]) -> None:
    """Blocks are tiny here, so that they are split, joined and written anew all the time."""
    most = blocks.MOST_ROWS
    blocks.MOST_ROWS = 4
    try:
        snapshot, model, revision = EMPTY, dict[str, ClassRecord](), 0
        was = [(EMPTY, dict(model))]
        replaced: list[tuple[int, ClassRecord]] = []
        for batch in batches:
            changes = []
            for class_id, deleted in batch:
                revision += 1
                changes.append(record(class_id, revision, deleted=deleted))
                if class_id in model:
                    replaced.append((revision, model.pop(class_id)))
                if not deleted:
                    model[class_id] = changes[-1]
            snapshot = snapshot.changed(changes, Head("e", revision))
            was.append((snapshot, dict(model)))
        for at, expected in was:  # earlier ones are as they were
            assert shown(at)[2:] == [(name, kept.label) for name, kept in expected.items()]
            assert len(at.records) == len(expected)
            assert np.allclose(at.classes.z[2:], _vectors(expected), atol=1e-6)
            for name, kept in expected.items():
                assert at.records[name] == dataclasses.replace(kept, degrees=b"")
                assert at.degrees(name) == pytest.approx(kept.vector(), rel=1e-6)
            back = snapshot.as_of(at.revision, [old for rev, old in replaced if rev > at.revision >= old.revision])
            assert sorted(shown(back)) == sorted(shown(at))
            assert back.revision == at.revision
    finally:
        blocks.MOST_ROWS = most


def _vectors(records: dict[str, ClassRecord]) -> FloatArray:
    return unit_rows(np.array([record.vector() for record in records.values()], dtype=np.float32).reshape(-1, 3))


def test_a_small_change_leaves_large_blocks_alone() -> None:
    many = [record(f"c{number:05}", 1) for number in range(40_000)]
    before = EMPTY.changed(many, Head("e", 1))
    after = before.changed([record("c00005", 2), record("new", 2), record("c39999", 2, deleted=True)], Head("e", 2))
    old, new = ([view.block.classes.z for view in snapshot.views] for snapshot in (before, after))
    assert all(any(z is other for other in new) for z in old)
    assert sum(len(z) for z in new) == 40_002
    assert len(after.classes) == len(before.classes)
    assert (after.classes.row("c39999"), after.classes.label(after.classes.row("c00005") or 0)) == (None, "c00005 2")


def test_many_single_changes_make_few_blocks() -> None:
    snapshot = EMPTY
    for number in range(1, 601):
        snapshot = snapshot.changed([record(f"c{number % 250}", number)], Head("e", number))
    assert len(snapshot.records) == 250
    assert len(snapshot.views) < 16
    assert sum(len(view.block) for view in snapshot.views) <= 2 * 250


def test_seen_classes_hidden_and_relabelled() -> None:
    changed = EMPTY.changed([seen_record("s0", 1, hidden=True), seen_record("s1", 1, label="Neu")], Head("e", 1))
    assert shown(changed) == [("s1", "Neu")]
    assert len(changed.records) == 0
    back = changed.changed([seen_record("s0", 2), record("s1", 2, deleted=True)], Head("e", 2))
    assert shown(back) == [("s0", "S0"), ("s1", "S1")]
    old = [seen_record("s0", 1, hidden=True), seen_record("s1", 1, label="Neu")]
    assert shown(back.as_of(1, old)) == [("s1", "Neu")]


def test_a_change_of_a_class_that_the_bundle_does_not_know_changes_nothing() -> None:
    assert shown(EMPTY.changed([seen_record("s9", 1, hidden=True)], Head("e", 1))) == shown(EMPTY)


def test_the_gamma_of_a_space_is_part_of_the_snapshot(tmp_path: Path) -> None:
    records = [dataclasses.replace(settings_record("three", gamma=g), revision=r) for r, g in ((2, 1.5), (4, None))]
    first = EMPTY.changed([record("a", 1)], Head("e", 1))
    second = first.changed(records[:1], Head("e", 2)).changed([record("b", 3)], Head("e", 3))
    third = second.changed(records[1:], Head("e", 4))
    assert [snapshot.gamma for snapshot in (EMPTY, first, second, third)] == [None, None, 1.5, None]
    assert (shown(third), list(third.records)) == (shown(second), ["a", "b"])
    assert third.as_of(3, records[:1]).gamma == 1.5
    assert second.as_of(2, []).gamma == 1.5
    assert second.as_of(1, []).gamma is None
    Copies(tmp_path).save(second)
    read = Copies(tmp_path).load("birds", SEEN)
    assert read is not None
    assert read.snapshot.gamma == 1.5
    assert second.changed([dataclasses.replace(records[0], revision=5, deleted=True)], Head("e", 5)).gamma is None


def test_what_expires_is_known_until_it_is_changed() -> None:
    first = EMPTY.changed([record("a", 1, expires_at=5.0), record("b", 1, expires_at=6.0)], Head("e", 1))
    assert first.expiring == {"a": (5.0, 1), "b": (6.0, 1)}
    second = first.changed([record("a", 2), record("b", 2, deleted=True)], Head("e", 2))
    assert second.expiring == {}


@given(batches=BATCHES)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_copy_is_the_snapshot_it_was_made_of(tmp_path: Path, batches: list[list[tuple[str, bool]]]) -> None:
    folder = tmp_path / str(next(numbers))
    copies, snapshot, revision = Copies(folder), EMPTY, 0
    for batch in batches:
        changes: list[ClassRecord] = []
        if revision == 3:
            revision += 1
            changes.append(seen_record("s1", revision, label="Neu"))
        for class_id, deleted in batch:
            revision += 1
            changes.append(record(class_id, revision, deleted=deleted, expires_at=9e9 if class_id == "a" else None))
        snapshot = snapshot.changed(changes, Head("e", revision))
        copies.save(snapshot)
    copies.save(snapshot)
    read = Copies(folder).load("birds", SEEN)
    assert read is not None
    assert (shown(read.snapshot), read.snapshot.head) == (shown(snapshot), snapshot.head)
    assert read.snapshot.expiring == snapshot.expiring
    assert dict(read.snapshot.records) == dict(snapshot.records)
    assert read.snapshot.classes.z.tolist() == snapshot.classes.z.tolist()
    assert len(list((folder / "birds").glob("*.npz"))) == len(snapshot.views)  # what is not named is removed
    further = read.snapshot.changed([record("z", revision + 1)], Head("e", revision + 1))
    assert shown(further) == shown(snapshot.changed([record("z", revision + 1)], Head("e", revision + 1)))


def test_only_new_blocks_are_written(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    snapshot = EMPTY.changed([record(f"c{number}", 1) for number in range(100)], Head("e", 1))
    copies.save(snapshot)
    (first,) = (tmp_path / "birds").glob("*.npz")
    written = first.stat().st_mtime_ns
    copies.save(snapshot.changed([record("new", 2)], Head("e", 2)))
    assert len(list((tmp_path / "birds").glob("*.npz"))) == 2
    assert first.stat().st_mtime_ns == written


def test_two_processes_with_one_folder_keep_it_whole(tmp_path: Path) -> None:
    one, two = Copies(tmp_path), Copies(tmp_path)
    first = EMPTY.changed([record("a", 1)], Head("e", 1))
    second = first.changed([record("b", 2)], Head("e", 2))
    for copies, snapshot in ((one, first), (two, second), (one, first), (two, second), (one, second)):
        copies.save(snapshot)
        read = Copies(tmp_path).load("birds", SEEN)
        assert read is not None
        newest = shown(read.snapshot)
    assert newest[2:] == [("a", "a 1"), ("b", "b 2")]


@pytest.mark.parametrize("harm", ["missing block", "cut block", "cut list", "schema", "nothing"])
def test_a_copy_that_cannot_be_used_is_left_aside(tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    seen = dataclasses.replace(SEEN, schema="other") if harm == "schema" else SEEN
    if harm != "nothing":
        Copies(tmp_path).save(EMPTY.changed([record("a", 1)], Head("e", 1)))
        (block,) = (tmp_path / "birds").glob("*.npz")
        if harm == "missing block":
            block.unlink()
        elif harm != "schema":
            path = block if harm == "cut block" else tmp_path / "birds" / "copy.json"
            path.write_bytes(path.read_bytes()[:-30])
    assert Copies(tmp_path).load("birds", seen) is None
    assert ("left aside" in caplog.text) == (harm not in ("missing block", "nothing"))
