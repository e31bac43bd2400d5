"""The consistency checks of xlsa17 files; each gives the problems it found as got / expected / what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from duet_core.classes import IntArray

_TOLERANCE = 1e-5

_OFFICIAL_COUNTS = {  # (A, C): N, trainval, test_seen, test_unseen, seen classes
    (312, 200): (11_788, 7_057, 1_764, 2_967, 150),
    (102, 717): (14_340, 10_320, 2_580, 1_440, 645),
    (85, 50): (37_322, 23_527, 5_882, 7_913, 40),
}


@dataclass(frozen=True, kw_only=True)
class Xlsa17:
    """The content of the files: rows 0-based, matrices (C, A), everything else as the makers wrote it."""

    class_names: tuple[str, ...]
    class_lines: tuple[str, ...]
    seen_lines: tuple[str, ...] | None
    unseen_lines: tuple[str, ...] | None
    val_lines: tuple[str, ...] | None
    labels: IntArray
    image_files: tuple[str, ...]
    att: NDArray[np.float64]
    original_att: NDArray[np.float64]
    trainval: IntArray
    test_seen: IntArray
    test_unseen: IntArray
    train: IntArray | None
    val: IntArray | None


def consistency_problems(raw: Xlsa17, *, attributes: int) -> list[str]:
    """Every contradiction in the files, empty when there is none; `attributes` is the number of names A.

    The later checks index with labels and locs, so they run only when those stay inside their arrays.
    """
    problems = [*_shapes(raw, attributes), *_ranges(raw)]
    if problems:
        return problems
    return [*_class_vectors(raw), *_locs(raw), *_classes(raw), *_official_counts(raw), *_folders(raw)]


def photo_problems(paths: Sequence[Path]) -> list[str]:
    """What to say about missing photo files: how many, three by name; empty when all are there."""
    missing = [path for path in paths if not path.is_file()]
    if not missing:
        return []
    examples = ", ".join(str(path) for path in missing[:3])
    return [f"{len(missing)} of {len(paths)} photos are missing, such as {examples}; give their folder as `images`"]


def _shapes(raw: Xlsa17, attributes: int) -> Iterator[str]:
    expected = (len(raw.class_names), attributes)
    for field, matrix in (("att", raw.att), ("original_att", raw.original_att)):
        if matrix.shape != expected:
            yield (
                f"{field}: got {matrix.shape[::-1]} (attributes, classes), expected {expected[::-1]} from "
                "attributes.txt and allclasses_names; take all files from the same benchmark"
            )
        elif not np.isfinite(matrix).all():
            yield f"{field}: got NaN or infinity, expected finite numbers; take the file of the official archive"
    if len(raw.labels) != len(raw.image_files):
        yield f"res101.mat: got {len(raw.labels)} labels and {len(raw.image_files)} image_files, expected equal numbers"
    if raw.class_lines != raw.class_names:
        yield (
            f"allclasses.txt ({len(raw.class_lines)} names) differs from allclasses_names of att_splits.mat "
            f"({len(raw.class_names)}); expected the same names in the same order, which is the label order"
        )


def _ranges(raw: Xlsa17) -> Iterator[str]:
    limits = (
        ("labels", raw.labels, len(raw.class_names)),
        ("trainval_loc", raw.trainval, len(raw.labels)),
        ("test_seen_loc", raw.test_seen, len(raw.labels)),
        ("test_unseen_loc", raw.test_unseen, len(raw.labels)),
        ("train_loc", raw.train, len(raw.labels)),
        ("val_loc", raw.val, len(raw.labels)),
    )
    for field, rows, limit in limits:
        if rows is None:
            continue
        if not len(rows):
            yield f"{field}: got no entry, expected at least one"
        elif rows.min() < 0 or rows.max() >= limit:
            yield f"{field}: got {rows.min() + 1} to {rows.max() + 1}, expected 1 to {limit} (MATLAB counts from 1)"


def _class_vectors(raw: Xlsa17) -> Iterator[str]:
    norms = np.linalg.norm(raw.att, axis=1)
    bad = np.flatnonzero(np.abs(norms - 1.0) > _TOLERANCE)
    if len(bad):
        first = bad[0]
        yield (
            f"att: got norm {norms[first]:.4g} for {raw.class_names[first]!r} ({len(bad)} such classes), expected 1; "
            "att holds unit columns, original_att the raw degrees"
        )
    raw_norms = np.linalg.norm(raw.original_att, axis=1, keepdims=True)
    if (raw_norms == 0).any():
        yield f"original_att: got no degree for {raw.class_names[int(np.argmin(raw_norms))]!r}, expected one above 0"
        return
    distance = float(np.abs(raw.att - raw.original_att / raw_norms).max())
    if distance > _TOLERANCE:
        yield (
            f"att: got up to {distance:.2g} away from original_att divided by its norm, expected at most {_TOLERANCE}; "
            "the two are not of the same version"
        )


def _locs(raw: Xlsa17) -> Iterator[str]:
    counts = np.zeros(len(raw.labels), dtype=np.int64)
    for loc in (raw.trainval, raw.test_seen, raw.test_unseen):
        np.add.at(counts, loc, 1)
    for number, text in ((int((counts > 1).sum()), "more than once"), (int((counts == 0).sum()), "not at all")):
        if number:
            yield (
                f"trainval_loc, test_seen_loc, test_unseen_loc: {number} of {len(counts)} photos occur {text}, "
                "expected every photo exactly once; res101.mat and att_splits.mat are of different benchmarks"
            )


def _classes(raw: Xlsa17) -> Iterator[str]:
    seen, test_seen, unseen = (
        {raw.class_names[row] for row in np.unique(raw.labels[loc])}
        for loc in (raw.trainval, raw.test_seen, raw.test_unseen)
    )
    if both := seen & unseen:
        yield f"classes both seen and unseen: got {_some(both)}, expected none; the split leaks"
    for text, expected in (
        ("test_seen_loc", test_seen),
        ("trainvalclasses.txt", raw.seen_lines),
    ):
        if expected is not None and seen != set(expected):
            yield f"classes of trainval_loc and of {text} differ: {_difference(seen, set(expected))}"
    if raw.unseen_lines is not None and unseen != set(raw.unseen_lines):
        yield f"classes of test_unseen_loc and of testclasses.txt differ: {_difference(unseen, set(raw.unseen_lines))}"


def _official_counts(raw: Xlsa17) -> Iterator[str]:
    classes, attributes = raw.att.shape
    expected = _OFFICIAL_COUNTS.get((attributes, classes))
    seen = len(np.unique(raw.labels[raw.trainval]))
    got = (len(raw.labels), len(raw.trainval), len(raw.test_seen), len(raw.test_unseen), seen)
    if expected is not None and got != expected:
        yield (
            f"photos, trainval, test_seen, test_unseen, seen classes: got {got}, expected {expected} for a benchmark "
            f"of {attributes} attributes and {classes} classes; take the files of the official archive"
        )


def _folders(raw: Xlsa17) -> Iterator[str]:
    """A photo in the folder of a class must carry that class's label: catches mat files of different versions."""
    row_of = {name: row for row, name in enumerate(raw.class_names)}
    folders = (file.rstrip("/").split("/")[-2:][0] for file in raw.image_files)
    wrong = [
        file
        for file, folder, label in zip(raw.image_files, folders, raw.labels, strict=True)
        if row_of.get(folder, label) != label
    ]
    if wrong:
        yield (
            f"{len(wrong)} photos have the label of another class than their folder, such as {wrong[0]!r}; "
            "res101.mat and att_splits.mat order the classes differently"
        )


def _difference(got: set[str], expected: set[str]) -> str:
    return f"got without the other {_some(got - expected)}, missing {_some(expected - got)}, expected equal sets"


def _some(names: set[str]) -> str:
    return ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "none"
