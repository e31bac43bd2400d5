"""The class table and its three views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from duet_core.classes import ClassTable, ClassTableError, FloatArray, unit_rows

RAW = np.array([[0, 100, 50], [-1, 30, 0]], dtype=np.float32)


def _table(raw: FloatArray) -> ClassTable:
    names = tuple(f"class {row}" for row in range(len(raw)))
    return ClassTable(names=names, raw=raw, seen=np.zeros(len(raw), dtype=np.bool_))


def test_views_of_a_small_table() -> None:
    table = _table(RAW)
    np.testing.assert_allclose(table.z[0], np.array([0, 100, 50]) / np.sqrt(12500), rtol=1e-6)
    np.testing.assert_allclose(table.degree, (RAW + 1) / 101, rtol=1e-6)
    assert table.present.tolist() == [[False, True, True], [False, True, False]]  # mean of all entries: 29.8
    assert [view.dtype.name for view in (table.z, table.degree, table.present)] == ["float32", "float32", "bool"]


@settings(max_examples=50, deadline=None)
@given(
    raw=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6),
        elements=st.floats(0, 128, width=32, allow_subnormal=False).map(lambda value: np.float32(round(value, 2))),
    )
)
def test_views_hold_for_every_table(raw: FloatArray) -> None:
    assume((raw.max(axis=1) > 0).all() and raw.max() > raw.min())
    table = _table(raw)
    np.testing.assert_allclose(np.linalg.norm(table.z, axis=1), 1, atol=1e-5)
    assert table.degree.min() == 0
    assert table.degree.max() == 1
    threshold = sum(float(value) for value in raw.ravel()) / raw.size
    clear = np.abs(raw - threshold) > 1e-4
    np.testing.assert_array_equal(table.present[clear], (raw > threshold)[clear])


def test_row_without_degrees_has_no_direction() -> None:
    with pytest.raises(ClassTableError, match=r"class rows \[1\]: all degrees are 0"):
        unit_rows(np.array([[1, 0], [0, 0]], dtype=np.float32))


def test_equal_degrees_cannot_tell_classes_apart() -> None:
    with pytest.raises(ClassTableError, match=r"all raw degrees equal 2\.0"):
        _ = _table(np.full((2, 2), 2, dtype=np.float32)).degree


@pytest.mark.parametrize(
    ("names", "raw", "seen", "message"),
    [
        (("a",), RAW, [True, False], r"1 names, raw \(2, 3\)"),
        (("a", "b"), RAW[0], [True, False], r"raw \(3,\)"),
        (("a", "b"), RAW, [True], r"seen \(1,\)"),
        (("a", "a"), RAW, [True, False], "names repeat"),
        (("a", "b"), RAW * np.float32(np.nan), [True, False], "NaN or infinity"),
    ],
)
def test_contradictions_are_refused(names: tuple[str, ...], raw: FloatArray, seen: list[bool], message: str) -> None:
    with pytest.raises(ClassTableError, match=message):
        ClassTable(names=names, raw=raw, seen=np.array(seen))


@pytest.mark.data
def test_present_reproduces_the_official_binary_matrix(shared_data: Path) -> None:
    folder = shared_data / "xlsa17" / "AWA2"
    raw = scipy.io.loadmat(folder / "att_splits.mat")["original_att"].T.astype(np.float32)
    official = scipy.io.loadmat(folder / "binaryAtt_splits.mat")["att"].T == 1
    np.testing.assert_array_equal(_table(raw).present, official)


@pytest.mark.data
def test_present_reproduces_the_papers_counts_on_sun(shared_data: Path) -> None:
    folder = shared_data / "xlsa17" / "SUN"
    raw = scipy.io.loadmat(folder / "att_splits.mat")["original_att"].T.astype(np.float32)
    names = [str(cell[0]) for cell in scipy.io.loadmat(folder / "attributes.mat")["attributes"].ravel()]
    has = dict(zip(names, _table(raw).present.T, strict=True))
    assert (has["trees"].sum(), has["clouds"].sum(), has["fire"].sum()) == (301, 318, 10)
    flowers, leaves = has["flowers"], has["leaves"]
    assert ((flowers & leaves).sum(), (flowers & ~leaves).sum()) == (39, 10)
