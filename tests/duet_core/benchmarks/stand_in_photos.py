"""Whole benchmarks for tests: the real metadata, with generated photos and, where it is missing, a generated list."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from duet_core.benchmarks.official import Official

SUN_PREFIX = "/maker/data/SUN/images/"
CUB_PREFIX = "/maker/CUB_200_2011/CUB_200_2011/images/"
AWA2_PREFIX = "/maker/data/Animals_with_Attributes2//JPEGImages/"


def write_stand_in(source: Path, root: Path, benchmark: Official) -> Path:
    """The folder `root` with the metadata in `source`, a res101.mat as the makers wrote it, and photos of one colour.

    CUB's and SUN's photos are those of their own lists. AWA2's list is not among the metadata: its photos are made up,
    in the blocks of classes that the splits show.
    """
    shutil.copytree(source, root)
    root.chmod(0o755)
    names = [str(cell.item()) for cell in scipy.io.loadmat(root / "att_splits.mat")["allclasses_names"][:, 0]]
    if benchmark.name == "AWA2":
        prefix, photos = AWA2_PREFIX, awa2_photos(root, names)
        labels = [names.index(photo.split("/")[0]) for photo in photos]
    elif benchmark.name == "SUN":
        prefix, photos = (
            SUN_PREFIX,
            [str(cell.item()) for cell in scipy.io.loadmat(root / "images.mat")["images"][:, 0]],
        )
        labels = [names.index("_".join(photo.split("/")[1:-1])) for photo in photos]
    else:
        prefix, photos = CUB_PREFIX, [line.split()[1] for line in (root / "images.txt").read_text().splitlines()]
        labels = [names.index(photo.split("/")[0]) for photo in photos]
    fields = {
        "labels": np.array(labels, dtype=np.uint16)[:, None] + 1,
        "image_files": np.array([prefix + photo for photo in photos], dtype=object)[:, None],
    }
    scipy.io.savemat(root / "res101.mat", fields)
    _write_photos(root / ("JPEGImages" if benchmark.name == "AWA2" else "images"), photos)
    return root


def awa2_photos(root: Path, names: list[str]) -> list[str]:
    """One made-up file for each of the 37,322 rows.

    Rows lie class by class in the order of the names. Each row's fold (train, val, unseen) is in att_splits.mat and
    each class's fold in the lists of names, so the runs of rows with one fold tell where one or several classes of that
    fold lie; a run of several is shared out evenly.
    """
    split = scipy.io.loadmat(root / "att_splits.mat")
    fold = np.zeros(sum(len(split[loc]) for loc in ("trainval_loc", "test_seen_loc", "test_unseen_loc")), dtype=int)
    for number, loc in enumerate(("train_loc", "val_loc", "test_unseen_loc")):  # version 1: with test_seen
        fold[split[loc][:, 0] - 1] = number
    lists = ("trainclasses1.txt", "valclasses1.txt", "testclasses.txt")
    fold_of = {name: number for number, file in enumerate(lists) for name in (root / file).read_text().split()}
    of_class = np.array([fold_of[name] for name in sorted(names)])
    photos: list[str] = []
    for rows, classes in zip(_runs(fold), _runs(of_class), strict=True):
        assert fold[rows[0]] == of_class[classes[0]]
        for row, part in zip(classes, np.array_split(rows, len(classes)), strict=True):
            name = sorted(names)[row]
            photos += [f"{name}/{name}_{10001 + number}.jpg" for number in range(len(part))]
    return photos


def _runs(values: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows of each run of equal values."""
    return np.split(np.arange(len(values)), np.flatnonzero(np.diff(values)) + 1)


def _write_photos(folder: Path, photos: list[str]) -> None:
    """The same small JPEG under every name."""
    stream = io.BytesIO()
    Image.new("RGB", (20, 16), (90, 120, 60)).save(stream, "JPEG")
    for parent in {(folder / photo).parent for photo in photos}:
        parent.mkdir(parents=True, exist_ok=True)
    for photo in photos:
        (folder / photo).write_bytes(stream.getvalue())
