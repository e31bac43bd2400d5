"""Checks of the photos: their list, their rows in the splits, and the classes these make seen and unseen."""

from __future__ import annotations

import numpy as np

from duet_core.benchmarks.few_names import few
from duet_core.benchmarks.mat_files import ARCHIVE, Outcome, agree
from duet_core.benchmarks.official import OFFICIAL, Official
from duet_core.benchmarks.photo_list import MARKERS, after_marker, class_of
from duet_core.benchmarks.xlsa17_files import PHOTOS, SPLIT, Xlsa17
from duet_core.classes import IntArray


def row_range(field: str, raw: Xlsa17) -> Outcome | None:
    """Labels and locs must stay inside what they index; before anything indexes with them."""
    rows: IntArray | None = getattr(raw, field.removesuffix("_loc"))
    limit = len(raw.class_names) if field == "labels" else raw.photos
    if rows is None:
        return None
    expected = f"1 to {limit}"
    if not len(rows):
        return Outcome("wrong", "no entry", "at least one", ARCHIVE)
    got = f"{rows.min() + 1} to {rows.max() + 1}"
    return agree(rows.min() >= 0 and rows.max() < limit, got, expected, f"MATLAB counts from 1; {ARCHIVE}")


def list_lengths(raw: Xlsa17) -> Outcome:
    """A label for each file."""
    got = f"{len(raw.labels)} labels and {len(raw.image_files)} image_files"
    return agree(len(raw.labels) == len(raw.image_files), got, "equal numbers", ARCHIVE)


def photo_paths(raw: Xlsa17) -> Outcome:
    """The part of the makers' paths that holds on this machine can be told from theirs."""
    bad = [file for file in raw.image_files if after_marker(file) is None]
    if bad:
        got = f"{len(bad)} image_files with neither {' nor '.join(MARKERS)}, such as {bad[0]!r}"
        return Outcome("wrong", got, "none", ARCHIVE)
    return Outcome("ok", f"such as {after_marker(raw.image_files[0])}")


def each_photo_once(raw: Xlsa17) -> Outcome:
    """The three splits are disjoint and cover all photos."""
    counts = np.bincount(np.concatenate([raw.trainval, raw.test_seen, raw.test_unseen]), minlength=raw.photos)
    often, never = int((counts > 1).sum()), int((counts == 0).sum())
    got = f"{often} of {len(counts)} photos more than once, {never} not at all"
    return agree(not often and not never, got, "every photo once", f"{PHOTOS} and {SPLIT} are of different benchmarks")


def official_counts(raw: Xlsa17) -> Outcome:
    """Photos in all, in trainval, in test_seen and in test_unseen."""
    known, got = whole_benchmark(raw), (raw.photos, len(raw.trainval), len(raw.test_seen), len(raw.test_unseen))
    if known is None:
        return Outcome("ok", f"{_counts(*got)}, not a whole benchmark")
    expected = (known.photos, known.trainval, known.test_seen, known.test_unseen)
    return agree(got == expected, _counts(*got), f"{_counts(*expected)} in {known.name}", ARCHIVE)


def whole_benchmark(raw: Xlsa17) -> Official | None:
    """The benchmark with as many classes and attributes; None for subsets."""
    size = raw.original_att.shape
    return next((known for known in OFFICIAL if (known.classes, known.attributes) == size), None)


def _counts(photos: int, *parts: int) -> str:
    return f"{photos:,}: {' + '.join(f'{part:,}' for part in parts)}"


def disjoint_classes(raw: Xlsa17) -> Outcome:
    """No class is both seen and unseen, and a whole benchmark has as many of both as it should."""
    seen, unseen = _names_of(raw, raw.trainval), _names_of(raw, raw.test_unseen)
    if both := seen & unseen:
        return Outcome("wrong", f"{_some(both)} both seen and unseen", "none", "the split leaks")
    known, got = whole_benchmark(raw), f"{len(seen)} seen, {len(unseen)} unseen"
    if known is None:
        return Outcome("ok", f"{got}, none both")
    expected = f"{known.seen} seen, {known.classes - known.seen} unseen"
    return agree(got == expected, got, expected, ARCHIVE)


def tested_classes(raw: Xlsa17) -> Outcome:
    """The seen classes are tested, and no other."""
    return _same_classes(_names_of(raw, raw.trainval), _names_of(raw, raw.test_seen), "trainval_loc")


def listed_classes(rows: str, names: str, raw: Xlsa17) -> Outcome | None:
    """The classes of a split are those of its list of names, where there is one."""
    listed: tuple[str, ...] | None = getattr(raw, names)
    return None if listed is None else _same_classes(_names_of(raw, getattr(raw, rows)), set(listed), f"{rows}_loc")


def folders_of_labels(raw: Xlsa17) -> Outcome:
    """A photo in the folder of a class must carry that class's label: catches mat files of different versions."""
    row_of = {name: row for row, name in enumerate(raw.class_names)}
    found = ((file, class_of(file, row_of), label) for file, label in zip(raw.image_files, raw.labels, strict=True))
    wrong = [file for file, folder, label in found if folder is not None and folder != label]
    if wrong:
        got = f"{len(wrong)} photos have the label of another class than their folder, such as {wrong[0]!r}"
        return Outcome("wrong", got, "none", f"{PHOTOS} and {SPLIT} order the classes differently")
    return Outcome("ok", "each photo lies in the folder of its class")


def _names_of(raw: Xlsa17, rows: IntArray) -> set[str]:
    return {raw.class_names[row] for row in np.unique(raw.labels[rows])}


def _same_classes(got: set[str], expected: set[str], of: str) -> Outcome:
    if got == expected:
        return Outcome("ok", f"{len(got)} classes, those of {of}")
    text = f"without {_some(got - expected)} of {of}, with {_some(expected - got)} that it lacks"
    return Outcome("wrong", text, f"the {len(got)} classes of {of}", ARCHIVE)


def _some(names: set[str]) -> str:
    return few(sorted(names)) or "none"
