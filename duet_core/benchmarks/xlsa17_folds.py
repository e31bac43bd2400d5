"""The validation folds of xlsa17: taken as they are, or repaired where the published version is leaky."""

from __future__ import annotations

import logging

import numpy as np

from duet_core.benchmarks.benchmark import BenchmarkError
from duet_core.benchmarks.xlsa17_checks import Xlsa17
from duet_core.classes import IntArray

_LOGGER = logging.getLogger(__name__)


def sound_folds(raw: Xlsa17, where: str) -> tuple[IntArray, IntArray]:
    """(train, val): 0-based photo rows that partition trainval and share no class.

    Version 1 (2017, 2018) of the split has test_seen photos in both: they are cut to trainval. The 2019 version has
    neither: they are rebuilt from ``valclasses1.txt``. Either repair is logged as a warning. `raw` has passed the
    consistency checks.

    Raises BenchmarkError when even the repaired folds overlap, share a class or leave photos out.
    """
    if raw.train is None or raw.val is None:
        train, val = _from_names(raw, where)
    elif _partitions(raw.train, raw.val, raw.trainval):
        train, val = raw.train, raw.val
    else:
        train, val = (fold[np.isin(fold, raw.trainval)] for fold in (raw.train, raw.val))
        leaked = len(raw.train) + len(raw.val) - len(train) - len(val)
        kept = f"both were cut to trainval: {len(train)} and {len(val)} photos remain"
        _LOGGER.warning("%s: train_loc and val_loc leak %d photos outside trainval; %s", where, leaked, kept)
    shared = np.intersect1d(raw.labels[train], raw.labels[val])
    if not _partitions(train, val, raw.trainval) or len(shared):
        got = f"got {len(train)} + {len(val)} photos for {len(raw.trainval)} of trainval, {len(shared)} shared classes"
        expected = "train and val partition trainval and share no class; take att_splits.mat of the 2020 archive"
        raise BenchmarkError(where, [f"train_loc and val_loc: {got}; expected: {expected}"])
    return train, val


def _partitions(train: IntArray, val: IntArray, trainval: IntArray) -> bool:
    return np.array_equal(np.sort(np.concatenate([train, val])), np.sort(trainval))


def _from_names(raw: Xlsa17, where: str) -> tuple[IntArray, IntArray]:
    if raw.val_lines is None:
        problem = "train_loc or val_loc is absent and so is valclasses1.txt; add it from the official archive"
        raise BenchmarkError(where, [problem])
    held = [row for row, name in enumerate(raw.class_names) if name in set(raw.val_lines)]
    in_val = np.isin(raw.labels[raw.trainval], held)
    _LOGGER.warning("%s: train_loc and val_loc are absent; both were rebuilt from valclasses1.txt", where)
    return raw.trainval[~in_val], raw.trainval[in_val]
