"""Your own folder: photos in ``images/<class>/``, class attributes in a table or YAML, and a split that stays."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from duet_core.benchmarks.benchmark import Benchmark, BenchmarkError
from duet_core.benchmarks.folder_draw import CLASS_SHARE, draw_classes, draw_photos, extend_photos
from duet_core.benchmarks.folder_photos import Photo, copies
from duet_core.benchmarks.folder_reading import OwnFolder, read_folder
from duet_core.benchmarks.folder_split import FolderSplit, Photos, write_split
from duet_core.benchmarks.folder_split_checks import split_mistakes
from duet_core.classes import IntArray

_LOGGER = logging.getLogger(__name__)


def load_image_folder(root: Path, images: Path | None = None, name: str | None = None) -> Benchmark:
    """The benchmark in a folder of one's own; a split is drawn with seed 0 and saved where there is none.

    A class takes part when it is described, has photos and is in the split; what does not is logged. Rows count the
    classes in the order of their descriptions, and of each its photos in alphabetical order.

    Args:
        root: the folder, with attributes.yaml or attributes.csv, and splits.yaml where there is one.
        images: folder of the photos; ``root/images`` when not given.
        name: name of the benchmark; the folder's when not given.

    Raises BenchmarkError with every mistake found, each with its file and line.
    """
    folder = read_folder(root, images)
    refuse(folder)
    if folder.split is None:
        folder.split = draw_split(folder)
        folder.mistakes += split_mistakes(folder.split, folder.photos, folder.classes)
        refuse(folder)
        file = write_split(root, folder.split)
        _LOGGER.warning("%s: no split; drawn with seed %d and written: %s", file.name, folder.split.seed, told(folder))
    for note in folder.notes:
        _LOGGER.warning("%s: %s", root, note)
    return _benchmark(folder, folder.split, name or root.resolve().name)


def refuse(folder: OwnFolder) -> None:
    """Raise BenchmarkError with all mistakes of the folder, if there are any."""
    if folder.mistakes:
        raise BenchmarkError(str(folder.root), [str(mistake) for mistake in folder.mistakes])


def draw_split(
    folder: OwnFolder, *, seed: int = 0, unseen: Iterable[str] = (), validation: Iterable[str] = ()
) -> FolderSplit:
    """A split of all photos of all classes; a quarter of the classes is unseen, a quarter of the others for validation.

    Args:
        folder: without mistakes but for classes of few photos that are named here.
        seed: of what is drawn.
        unseen: classes that are to be unseen; drawn when none is named.
        validation: seen classes to choose on; drawn when none is named.
    """
    names = folder.classes
    hidden = tuple(unseen) or draw_classes(names, folder.present(names), count=_quarter(len(names)), seed=seed)
    seen = tuple(name for name in names if name not in hidden)
    held = tuple(validation) or draw_classes(seen, folder.present(seen), count=_quarter(len(seen)), seed=seed)
    twins = copies(folder.photos)
    train: dict[str, tuple[str, ...]] = {}
    test: dict[str, tuple[str, ...]] = {}
    for name in sorted(names):
        photos = tuple(folder.photos.files[name])
        test[name] = photos if name in hidden else draw_photos(name, photos, twins, seed=seed)
        if name not in hidden:
            train[name] = tuple(photo for photo in photos if photo not in set(test[name]))
    return FolderSplit(seed=seed, unseen=hidden, validation=held, train=train, test=test)


def extended_split(folder: OwnFolder, split: FolderSplit, *, unseen: Iterable[str] = ()) -> FolderSplit:
    """The split with the photos and classes that came since, and without those that are gone.

    No photo and no class changes sides. New classes are seen ones, unless they are named in `unseen`.
    """
    there = set(folder.classes)
    hidden = tuple(name for name in split.unseen if name in there)
    new = replace(
        split,
        unseen=(*hidden, *(name for name in unseen if name not in hidden)),
        validation=tuple(name for name in split.validation if name in there),
        train={name: photos for name, photos in split.train.items() if name in there},
        test={name: photos for name, photos in split.test.items() if name in there},
        places={},
    )
    twins = copies(folder.photos)
    for name in folder.classes:
        new = extend_photos(new, name, tuple(folder.photos.files[name]), twins)
    return new


def told(folder: OwnFolder) -> str:
    """A split in a few words."""
    assert folder.split is not None
    split = folder.split
    seen = sum(1 for name in split.train if name not in split.unseen)
    photos = [sum(map(len, side.values())) for side in (split.train, split.test)]
    return (
        f"{seen} seen classes ({', '.join(split.validation)} for validation), unseen: {', '.join(split.unseen)}; "
        f"{photos[0]} photos to learn from, {photos[1]} for the test"
    )


def unlearnable(folder: OwnFolder, split: FolderSplit) -> list[str]:
    """A note for each held-out class that has attributes which no class learned from has."""
    assert folder.described is not None
    notes = []
    names = tuple(name for name in folder.classes if name in split.classes)
    present = dict(zip(names, folder.present(names), strict=True))
    for what, held in (("unseen", split.unseen), ("validation", (*split.unseen, *split.validation))):
        learned = np.any([present[name] for name in names if name not in held], axis=0)
        for name in split.unseen if what == "unseen" else split.validation:
            keys = [folder.described.schema.keys[row] for row in np.flatnonzero(present[name] & ~learned)]
            if keys:
                notes.append(
                    f"{what} class {name!r}: no class learned from has {', '.join(keys)}: it cannot be learned"
                )
    return notes


def identical_across(folder: OwnFolder, split: FolderSplit) -> list[tuple[Photo, Photo]]:
    """Pairs of the same photo, byte for byte, one to learn from and one for the test."""
    twins = copies(folder.photos)
    first = {twins[n, p]: (n, p) for n, own in split.train.items() for p in own if (n, p) in twins}
    tested = ((name, photo) for name, own in split.test.items() for photo in own)
    return [(first[twins[photo]], photo) for photo in tested if photo in twins and twins[photo] in first]


def _quarter(count: int) -> int:
    return max(round(CLASS_SHARE * count), 1)


def _benchmark(folder: OwnFolder, split: FolderSplit, name: str) -> Benchmark:
    assert folder.described is not None
    names = tuple(own for own in folder.classes if own in split.classes)
    seen = np.array([own not in split.unseen for own in names])
    known = {side: {(own, p) for own, photos in sides.items() for p in photos} for side, sides in _sides(split)}
    photos = [(own, p) for own in names for p in folder.photos.files[own] if (own, p) in known["train"] | known["test"]]
    row_of = {own: row for row, own in enumerate(names)}
    labels = np.array([row_of[own] for own, _ in photos], dtype=np.int64)

    def rows(*, side: str, classes: Iterable[str]) -> IntArray:
        wanted = set(classes)
        return np.array([i for i, p in enumerate(photos) if p in known[side] and p[0] in wanted], dtype=np.int64)

    trained = [own for own in names if own not in split.unseen]
    return Benchmark(
        name=name,
        schema=folder.described.schema,
        classes=folder.described.table(folder.rows(names), seen),
        image_paths=tuple(folder.photos.file(photo) for photo in photos),
        labels=labels,
        trainval=rows(side="train", classes=trained),
        test_seen=rows(side="test", classes=trained),
        test_unseen=rows(side="test", classes=split.unseen),
        train=rows(side="train", classes=set(trained) - set(split.validation)),
        val=rows(side="train", classes=split.validation),
    )


def _sides(split: FolderSplit) -> tuple[tuple[str, Photos], ...]:
    return ("train", split.train), ("test", split.test)
