"""The validation folds of xlsa17: taken as they are, or repaired where the published version is leaky."""

from __future__ import annotations

import numpy as np

from duet_core.benchmarks.mat_files import Outcome
from duet_core.benchmarks.xlsa17_files import Xlsa17
from duet_core.classes import IntArray

FOLDS = "train_loc and val_loc"

Folds = tuple[IntArray, IntArray]


def sound_folds(raw: Xlsa17) -> tuple[Outcome, Folds | None]:
    """(train, val): 0-based photo rows that partition trainval and share no class; and what was done for it.

    Version 1 (2017, 2018) of the split has test_seen photos in both: they are cut to trainval. The 2019 version has
    neither: they are rebuilt from ``valclasses1.txt``. `raw` has passed the content checks; without labels the classes
    are not compared. None when even the repaired folds overlap, share a class or leave photos out.
    """
    if raw.train is None or raw.val is None:
        if raw.val_lines is None:
            advice = "add valclasses1.txt, or att_splits.mat of 2020, from the official archive"
            return Outcome("missing", "neither the folds nor valclasses1.txt", "either", advice), None
        held = [row for row, name in enumerate(raw.class_names) if name in set(raw.val_lines)]
        in_val = np.isin(raw.labels[raw.trainval], held)
        train, val = raw.trainval[~in_val], raw.trainval[in_val]
        told = Outcome("repaired", "absent; both were rebuilt from valclasses1.txt")
    elif _partitions(raw.train, raw.val, raw.trainval):
        train, val = raw.train, raw.val
        told = Outcome("ok", f"{len(train):,} and {len(val):,} photos, a partition of trainval", "a partition")
    else:
        train, val = (fold[np.isin(fold, raw.trainval)] for fold in (raw.train, raw.val))
        leaked = len(raw.train) + len(raw.val) - len(train) - len(val)
        got = f"they leak {leaked} photos outside trainval"
        advice = f"version 1 of the split: both were cut to trainval, {len(train)} and {len(val)} photos remain"
        told = Outcome("repaired", got, "a partition of trainval", advice)
    shared = np.intersect1d(raw.labels[train], raw.labels[val]) if len(raw.labels) else ()
    if not _partitions(train, val, raw.trainval) or len(shared):
        got = f"{len(train)} + {len(val)} photos for {len(raw.trainval)} of trainval, {len(shared)} shared classes"
        expected = "train and val partition trainval and share no class"
        return Outcome("wrong", got, expected, "take att_splits.mat of the 2020 archive"), None
    return told, (train, val)


def _partitions(train: IntArray, val: IntArray, trainval: IntArray) -> bool:
    return np.array_equal(np.sort(np.concatenate([train, val])), np.sort(trainval))
