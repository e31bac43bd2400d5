"""Which photos a benchmark has and what they show: res101.mat, or the list of the data set whose order it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from duet_core.benchmarks.mat_files import Outcome, UnusableFileError, read_mat, strings, zero_based
from duet_core.classes import IntArray

MARKERS = ("/images/", "JPEGImages/")

_ADVICE = "take res101.mat of the official xlsa17 archive (labels and image_files; features may be left out)"


def read_photo_list(root: Path, class_names: Sequence[str]) -> tuple[Outcome, IntArray, tuple[str, ...]]:
    """What is to be said of the list, (N,) class rows, and N file names; both empty when there is no list.

    Without ``res101.mat`` the list is ``images.txt`` of CUB_200_2011 or ``images.mat`` of SUNAttributeDB, whose orders
    res101.mat follows; the class of a photo is then its folder's.
    """
    try:
        content = read_mat(root / "res101.mat", ("labels", "image_files"), advice=_ADVICE)
    except UnusableFileError as error:
        listed = _listed(root) if error.outcome.state == "missing" and class_names else None
        if listed is None:
            return error.outcome, np.zeros(0, dtype=np.int64), ()
        return _labelled(*listed, {name: row for row, name in enumerate(class_names)})
    labels, files = zero_based(content["labels"]), strings(content["image_files"])
    return Outcome("ok", f"{len(labels):,} photos"), labels, files


def class_of(file: str, row_of: Mapping[str, int]) -> int | None:
    """Class row of the folder a photo lies in; None when the folder is no class.

    SUN's folders are nested below a letter: ``a/airplane_cabin``, ``a/apartment_building/outdoor``.
    """
    folders = (after_marker(file) or file).split("/")[:-1]
    names = ("_".join(folders), "_".join(folders[1:]), folders[-1] if folders else "")
    return next((row_of[name] for name in names if name in row_of), None)


def after_marker(file: str) -> str | None:
    """What follows ``/images/`` or ``JPEGImages/`` in the makers' path; None when it has neither."""
    return next((rest for _, rest in [_cut(file)] if rest), None)


def photo_path(file: str, root: Path, images: Path | None) -> Path | None:
    """The photo on this machine: what follows the marker in the makers' path, below the user's folder."""
    marker, rest = _cut(file)
    return (images if images is not None else root / marker.strip("/")) / rest if rest else None


def _cut(file: str) -> tuple[str, str]:
    path = file.replace("\\", "/")
    return next(((marker, path.partition(marker)[2]) for marker in MARKERS if marker in path), ("", ""))


def _listed(root: Path) -> tuple[str, tuple[str, ...]] | None:
    """The name of the data set's own list and the photos in it; None when there is none."""
    lines, mat = root / "images.txt", root / "images.mat"
    if lines.is_file():
        return lines.name, tuple(line.split()[-1] for line in lines.read_text("utf-8").splitlines() if line.strip())
    try:
        return mat.name, strings(read_mat(mat, ("images",))["images"])
    except UnusableFileError:
        return None


def _labelled(
    source: str, photos: Sequence[str], row_of: Mapping[str, int]
) -> tuple[Outcome, IntArray, tuple[str, ...]]:
    found = [class_of(photo, row_of) for photo in photos]
    labels = [row for row in found if row is not None]
    if len(labels) < len(found):
        got = f"{len(found) - len(labels)} photos of {source} in folders that are no class: {photos[found.index(None)]}"
        return Outcome("wrong", got, "the folders of allclasses_names", _ADVICE), np.zeros(0, dtype=np.int64), ()
    told = Outcome("repaired", f"no file; {len(labels):,} photos and labels from {source}, in its order")
    return told, np.array(labels, dtype=np.int64), tuple(f"{MARKERS[0]}{photo}" for photo in photos)
