"""Held-out photos of an invented model on an invented benchmark: random v, so that nothing is special."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from duet_core.attributes import AttributeSchema
from duet_core.benchmarks import Benchmark
from duet_core.classes import ClassTable
from duet_core.judging.held_out import HeldOut
from duet_core.judging.photos import Photos

NAMES = (
    "001.Blue_Jay",
    "002.Green_Jay",
    "003.Sedge_Wren",
    "004.House_Wren",
    "005.Rock_Wren",
    "006.Florida_Jay",
    "007.Mallard",
)
SEEN, UNSEEN = (0, 2, 3, 6), (1, 4, 5)
SCHEMA = AttributeSchema.from_pairs(
    [("color", "blue"), ("color", "green"), ("color", "brown"), ("color", "red"), ("size", "small"), ("size", "large")]
)
PHOTOS = 9


def made_held_out(seed: int, *, gamma: float = 0.3, photos: int = PHOTOS) -> HeldOut:
    """Seven classes, four of them seen, `photos` of each; the first of each is training, v is z with much noise."""
    generator = np.random.default_rng(seed)
    raw = generator.uniform(0, 100, (len(NAMES), len(SCHEMA))).astype(np.float32)
    labels = np.repeat(np.arange(len(NAMES)), photos)
    is_seen, first = np.isin(labels, SEEN), np.tile(np.arange(photos) == 0, len(NAMES))
    rows = np.arange(len(labels))
    benchmark = Benchmark(
        name="made",
        schema=SCHEMA,
        classes=ClassTable(names=NAMES, raw=raw, seen=np.isin(np.arange(len(NAMES)), SEEN)),
        image_paths=tuple(Path("images") / NAMES[label] / f"{row}.jpg" for row, label in enumerate(labels)),
        labels=labels,
        trainval=rows[is_seen & first],
        test_seen=rows[is_seen & ~first],
        test_unseen=rows[~is_seen],
        train=rows[is_seen & first][:2],
        val=rows[is_seen & first][2:],
    )
    split = benchmark.test_split()

    def photos_of(chosen: np.ndarray) -> Photos:
        noise = generator.normal(0, 0.35, (len(chosen), len(SCHEMA)))
        v = (2 * benchmark.classes.z[labels[chosen]] + noise).astype(np.float32)
        return Photos(v, v.copy(), labels[chosen])

    return HeldOut("made-model", gamma, benchmark, split, photos_of(split.seen_eval), photos_of(split.unseen_eval))
