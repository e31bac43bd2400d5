"""A benchmark in the xlsa17 layout of photos that the tiny bundle can tell apart: four seen and two unseen classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

from tests.tiny_bundle import ALL_BLUE, SCHEMA, SEEN, degrees, picture, write_manifest, write_tiny_bundle

GREEN_WING = {"wing color: green": 1.0, "crown color: blue": 1.0, "size: small": 0.4, "wing pattern: solid": 0.4}
CLASSES = {**SEEN, "all-blue": ALL_BLUE, "blue-crown": GREEN_WING}
COLOURS = (("red", "red"), ("green", "green"), ("red", "blue"), ("red", "green"), ("blue", "blue"), ("blue", "green"))
"""Crown and wing of each class."""
TRAIN, TEST_SEEN, TEST_UNSEEN = 8, 12, 24


def write_bird_benchmark(root: Path) -> Path:
    """Write the folder `root` with noisy photos of every class, and return it."""
    generator = np.random.default_rng(0)
    root.mkdir(parents=True, exist_ok=True)
    names = [f"{row:03d}.{name}" for row, name in enumerate(CLASSES, start=1)]
    labels, files, part = [], [], []
    for row, name in enumerate(names):
        (root / "images" / name).mkdir(parents=True)
        kinds = ["trainval"] * TRAIN + ["test_seen"] * TEST_SEEN if row < len(SEEN) else ["test_unseen"] * TEST_UNSEEN
        for number, kind in enumerate(kinds):
            values = np.asarray(picture(*COLOURS[row]), dtype=np.float64) * 0.7 + generator.uniform(0, 76, (48, 48, 3))
            Image.fromarray(values.astype(np.uint8)).save(root / "images" / name / f"{number}.jpg", quality=95)
            labels.append(row)
            files.append(f"/x/images/{name}/{number}.jpg")
            part.append(kind)
    kinds_of, label = np.array(part), np.array(labels)
    original = np.stack([degrees(given) for given in CLASSES.values()]).astype(np.float64).T
    is_val = np.isin(label, (2, 3))

    def loc(mask: np.ndarray) -> np.ndarray:
        return (np.flatnonzero(mask) + 1)[:, None].astype(np.uint16)

    trainval = kinds_of == "trainval"
    scipy.io.savemat(
        root / "res101.mat",
        {"labels": (label + 1)[:, None].astype(np.uint8), "image_files": np.array(files, dtype=object)[:, None]},
    )
    scipy.io.savemat(
        root / "att_splits.mat",
        {
            "allclasses_names": np.array(names, dtype=object)[:, None],
            "att": original / np.linalg.norm(original, axis=0),
            "original_att": original,
            "trainval_loc": loc(trainval),
            "test_seen_loc": loc(kinds_of == "test_seen"),
            "test_unseen_loc": loc(kinds_of == "test_unseen"),
            "train_loc": loc(trainval & ~is_val),
            "val_loc": loc(trainval & is_val),
        },
    )
    (root / "allclasses.txt").write_text("\n".join(names) + "\n")
    lines = [f"{n} has_{a.prompt.replace(' ', '_')}::{a.name}" for n, a in enumerate(SCHEMA.attributes, start=1)]
    (root / "attributes.txt").write_text("\n".join(lines) + "\n")
    return root


def write_bird_bundle(folder: Path) -> Path:
    """The tiny bundle as if trained on the benchmark's trainval photos; returns the folder."""
    write_tiny_bundle(folder)
    write_manifest(folder, training={"photos": TRAIN * len(SEEN), "seed": 3, "command": "none: made in code"})
    return folder
