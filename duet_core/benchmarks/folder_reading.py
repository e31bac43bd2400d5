"""Everything that lies in a folder of one's own (photos, class attributes, split), with every mistake in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from duet_core.benchmarks.attributes_csv import read_csv
from duet_core.benchmarks.attributes_yaml import read_yaml
from duet_core.benchmarks.descriptions import ClassDescriptions
from duet_core.benchmarks.folder_draw import LEAST_CLASSES
from duet_core.benchmarks.folder_photos import PhotoFolder, find_photos
from duet_core.benchmarks.folder_split import SPLIT_FILE, FolderSplit, read_split
from duet_core.benchmarks.folder_split_checks import split_mistakes, split_notes
from duet_core.benchmarks.mistakes import Mistake, Place
from duet_core.classes import BoolArray

IMAGES = "images"
ATTRIBUTE_FILES = ("attributes.yaml", "attributes.csv")

LEAST_TO_LEARN = 6
"""Photos of a class before it is known which are for validation: 4 to learn from, 1 held out, 1 for the test."""


@dataclass
class OwnFolder:
    """What lies in the folder.

    Attributes:
        root: the folder.
        photos: those found below images/.
        described: the classes of the attributes file; None when nothing of it could be read.
        split: what splits.yaml says; None when there is none, or none that can be read.
        mistakes: by file (photos, attributes, names, split), every one of them.
        notes: what was passed over and what is worth knowing.
    """

    root: Path
    photos: PhotoFolder
    described: ClassDescriptions | None = None
    split: FolderSplit | None = None
    mistakes: list[Mistake] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that are described and have photos, in the order of their descriptions."""
        names = () if self.described is None else self.described.names
        return tuple(name for name in names if self.photos.files.get(name))

    def rows(self, names: tuple[str, ...]) -> list[int]:
        """Where these classes are among the described ones."""
        assert self.described is not None
        row_of = {name: row for row, name in enumerate(self.described.names)}
        return [row_of[name] for name in names]

    def present(self, names: tuple[str, ...]) -> BoolArray:
        """(C, A) which attributes these classes have: degrees above the mean of all of theirs."""
        assert self.described is not None
        rows = self.rows(names)
        return self.described.table(rows, np.ones(len(rows), dtype=np.bool_)).present


def is_own_folder(root: Path) -> bool:
    """Whether a folder is of this layout: it has class attributes to be filled in, or nothing of the official files."""
    if any((root / file).is_file() for file in ATTRIBUTE_FILES):
        return True
    others = (path for path in root.iterdir() if path.is_file() and not path.name.startswith("."))
    return (root / IMAGES).is_dir() and all(path.suffix in (".yaml", ".md") for path in others)


def read_folder(
    root: Path, images: Path | None = None, *, unseen: Collection[str] = (), check_split: bool = True
) -> OwnFolder:
    """Read the folder. Nothing is written and no photo is opened.

    Args:
        root: the folder.
        images: folder of the photos; ``root/images`` when not given.
        unseen: classes that are going to be unseen, of which few photos are enough.
        check_split: compare the split with what lies in the folder; False when it is about to be extended.
    """
    photos = find_photos(images or root / IMAGES)
    folder = OwnFolder(root, photos, mistakes=list(photos.mistakes), notes=list(photos.notes))
    _read_attributes(folder)
    if folder.described is not None:
        folder.mistakes += _undescribed(folder, folder.described)
        folder.notes += _without_photos(folder, folder.described)
    if (root / SPLIT_FILE).is_file():
        folder.split, mistakes = read_split(root / SPLIT_FILE)
        folder.mistakes += mistakes
    if folder.split is not None and folder.described is not None and check_split:
        folder.mistakes += split_mistakes(folder.split, folder.photos, folder.described.names)
        folder.notes += split_notes(folder.split, folder.photos, folder.classes, str(root))
    folder.mistakes += _too_few_classes(folder)
    if folder.described is not None and folder.classes:
        folder.mistakes += _too_few_photos(folder, unseen)
        folder.mistakes += _weak(folder, folder.described)
    return folder


def _read_attributes(folder: OwnFolder) -> None:
    files = [folder.root / name for name in ATTRIBUTE_FILES if (folder.root / name).is_file()]
    if not files:
        text = f"neither there nor attributes.csv; `duet benchmark init {folder.root}` writes one to be filled in"
        folder.mistakes.append(Mistake(Place(ATTRIBUTE_FILES[0]), text))
    elif len(files) > 1:
        folder.mistakes.append(Mistake(Place(files[1].name), f"lies beside {files[0].name}; remove one of the two"))
    else:
        folder.described, mistakes = (read_csv if files[0].suffix == ".csv" else read_yaml)(files[0])
        folder.mistakes += mistakes


def _undescribed(folder: OwnFolder, described: ClassDescriptions) -> Iterator[Mistake]:
    """Folders of photos whose class is not described; the nearest described ones first those without photos."""
    free = [name for name in described.names if not folder.photos.files.get(name)]
    for name, photos in folder.photos.files.items():
        if photos and name not in described.names:
            near = get_close_matches(name, free, n=3) or get_close_matches(name, described.names, n=3)
            meant = " or ".join(f"{n!r} ({described.class_places[described.names.index(n)]})" for n in near)
            text = f"class {name!r} is not described" + (f"; did you mean {meant}?" if near else "; describe it")
            yield Mistake(Place(f"{folder.photos.root.name}/{name}/"), text)


def _without_photos(folder: OwnFolder, described: ClassDescriptions) -> Iterator[str]:
    """Described classes that cannot be judged, and attributes that only such classes have."""
    for name, place in zip(described.names, described.class_places, strict=True):
        if not folder.photos.files.get(name):
            yield f"{place}: class {name!r} has no photos and is left out; tell it to the service, duet classes add"
    rows = folder.rows(folder.classes)
    if rows:
        here, anywhere = described.raw[rows].any(axis=0), described.raw.any(axis=0)
        for column in np.flatnonzero(anywhere & ~here):
            key = described.schema.keys[column]
            place = described.attribute_places[column]
            yield f"{place}: only classes without photos have {key!r}: it cannot be learned"


def _too_few_classes(folder: OwnFolder) -> Iterator[Mistake]:
    if folder.described is not None and folder.photos.files and len(folder.classes) < LEAST_CLASSES:
        text = (
            f"{len(folder.classes)} classes with photos and a description; at least {LEAST_CLASSES} are needed: one to "
        )
        yield Mistake(Place(f"{folder.photos.root.name}/"), text + "be unseen, one to choose on, two to learn from")


def _too_few_photos(folder: OwnFolder, unseen: Collection[str]) -> Iterator[Mistake]:
    """Before there is a split: any class may have to be learned from. With one, the split's own checks say more."""
    for name in folder.classes if folder.split is None else ():
        count = len(folder.photos.files[name])
        if count < LEAST_TO_LEARN and name not in unseen:
            text = f"{count} photos; {LEAST_TO_LEARN} are needed to learn a class: 4 in training, 1 held out while "
            text += f"choosing, 1 for the test. Or name it unseen: duet benchmark split {folder.root} --unseen {name!r}"
            yield Mistake(Place(f"{folder.photos.root.name}/{name}/"), text)


def _weak(folder: OwnFolder, described: ClassDescriptions) -> Iterator[Mistake]:
    """Classes all of whose degrees are so low that none of their attributes counts as present."""
    names = folder.classes if folder.split is None else tuple(n for n in folder.classes if n in folder.split.classes)
    if not names:
        return
    rows = folder.rows(names)
    mean = float(described.raw[rows].mean(dtype=np.float64))
    for row, present in zip(rows, folder.present(names), strict=True):
        if not present.any() and described.raw[row].any():
            text = f"no degree is above {mean:.3g}, the mean of all; raise its clearest one"
            yield Mistake(described.class_places[row], f"class {described.names[row]!r}: {text}")
