"""A folder in the official xlsa17 layout, small enough to be written for every test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

NAMES = ("003.Wren", "001.Crow", "007.Robin", "004.Gull", "002.Jay", "009.Heron", "005.Owl")
SEEN, VAL, UNSEEN = (0, 1, 2, 4, 5), (4, 5), (3, 6)
PHOTOS = 6
"""Photos of each class: of a seen class the last is in test_seen, the others in trainval."""
PREFIX = "/BS/maker/work/CUB_200_2011/images/"
ATTRIBUTES = ("has_wing_color::blue", "has_wing_color::grey", "has_tail_shape::forked_tail", "has_size::large_(1_-_2)")

SUN_ATTRIBUTES = ("sailing/ boating", "trees", "grass", "far-away horizon")
AWA2_ATTRIBUTES = ("black", "toughskin", "flys", "quadrapedal")


def contents() -> dict[str, Any]:
    """The fields of both mat files, 1-based and transposed as the makers wrote them; a test changes some of them."""
    degrees = np.random.default_rng(3).uniform(1, 100, (len(ATTRIBUTES), len(NAMES)))
    labels = np.repeat(np.arange(len(NAMES)), PHOTOS)
    photo = np.tile(np.arange(PHOTOS), len(NAMES))
    seen, val = np.isin(labels, SEEN), np.isin(labels, VAL)
    last = photo == PHOTOS - 1
    return {
        "labels": (labels + 1)[:, None].astype(np.uint8),
        "image_files": _cell([f"{PREFIX}{NAMES[row]}/photo_{n}.jpg" for row, n in zip(labels, photo, strict=True)]),
        "allclasses_names": _cell(NAMES),
        "att": degrees / np.linalg.norm(degrees, axis=0),
        "original_att": degrees,
        "trainval_loc": _loc(seen & ~last),
        "test_seen_loc": _loc(seen & last),
        "test_unseen_loc": _loc(~seen),
        "train_loc": _loc(seen & ~val & ~last),
        "val_loc": _loc(val & ~last),
    }


def write(root: Path, fields: dict[str, Any] | None = None, *, photos: bool = True) -> Path:
    """Write the folder `root` with these fields (those of `contents` when not given) and return it."""
    fields = contents() if fields is None else fields
    root.mkdir(parents=True, exist_ok=True)
    res101 = {"labels", "image_files"}
    scipy.io.savemat(root / "res101.mat", {key: fields[key] for key in res101 & fields.keys()})
    scipy.io.savemat(root / "att_splits.mat", {key: fields[key] for key in fields.keys() - res101})
    _lines(root / "allclasses.txt", NAMES)
    _lines(root / "trainvalclasses.txt", [NAMES[row] for row in SEEN])
    _lines(root / "testclasses.txt", [NAMES[row] for row in UNSEEN])
    _lines(root / "attributes.txt", [f"{number} {name}" for number, name in enumerate(ATTRIBUTES, start=1)])
    if photos:
        for row, name in enumerate(NAMES):
            (root / "images" / name).mkdir(parents=True)
            for photo in range(PHOTOS):
                picture = Image.new("RGB", (24 + photo, 20), (30 * row, 40 * photo, 90))
                picture.save(root / "images" / name / f"photo_{photo}.jpg")
    return root


def as_sun(root: Path) -> Path:
    """Give the folder SUN's file of attribute names instead of CUB's."""
    (root / "attributes.txt").unlink()
    scipy.io.savemat(root / "attributes.mat", {"attributes": _cell(SUN_ATTRIBUTES)})
    return root


def as_awa2(root: Path, *, binary: bool = True) -> Path:
    """Give the folder AWA2's file of attribute names instead of CUB's, and the official binary matrix."""
    (root / "attributes.txt").unlink()
    _lines(root / "predicates.txt", [f"{number:6}\t{name}" for number, name in enumerate(AWA2_ATTRIBUTES, start=1)])
    if binary:  # columns in another order than att_splits.mat: classes go by name
        degrees = contents()["original_att"][:, ::-1]
        fields = {"att": (degrees > degrees.mean()).astype(np.uint8), "allclasses_names": _cell(NAMES[::-1])}
        scipy.io.savemat(root / "binaryAtt_splits.mat", fields)
    return root


def _cell(texts: tuple[str, ...] | list[str]) -> NDArray[np.object_]:
    return np.array(texts, dtype=object)[:, None]


def _loc(mask: NDArray[np.bool_]) -> NDArray[np.uint16]:
    return (np.flatnonzero(mask) + 1)[:, None].astype(np.uint16)


def _lines(path: Path, lines: tuple[str, ...] | list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
