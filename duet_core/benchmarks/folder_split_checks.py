"""What is wrong with a split of a folder of photos, and what has come to the folder since it was made."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from duet_core.benchmarks.few_names import few
from duet_core.benchmarks.folder_photos import PhotoFolder
from duet_core.benchmarks.folder_split import FolderSplit
from duet_core.benchmarks.mistakes import Mistake

LEAST_TRAIN = 4
"""Photos of a class in training: an anchor, and others to compare with (A.5)."""


def split_mistakes(split: FolderSplit, photos: PhotoFolder, described: Collection[str]) -> list[Mistake]:
    """Every contradiction within a split, and between it and what lies in the folder."""
    return [*_roles(split), *_sides(split), *_overlaps(split), *_gone(split, photos, described), *_counts(split)]


def split_notes(split: FolderSplit, photos: PhotoFolder, classes: Collection[str], root: str) -> Iterator[str]:
    """What has come since the split was made, which goes on without it."""
    new_classes = [name for name in classes if name not in split.classes]
    known = {(name, photo) for side in (split.train, split.test) for name, own in side.items() for photo in own}
    new = [f"{name}/{photo}" for name, photo in photos if name in split.classes and (name, photo) not in known]
    for what, names in (("classes", new_classes), ("photos", new)):
        if names:
            how = f"duet benchmark split {root} --extend takes them in"
            yield f"{len(names)} {what} are not in the split and are left out ({few(names)}); {how}"


def _roles(split: FolderSplit) -> Iterator[Mistake]:
    """Named classes whose photos contradict their role."""
    for name in split.unseen:
        if split.train.get(name):
            text = f"class {name!r} is unseen, so none of its photos may be learned from; move them to test"
            yield Mistake(split.place("train", name), text)
        if not split.test.get(name):
            yield Mistake(
                split.place("unseen", name), f"unseen class {name!r} has no photo under test; add one or more"
            )
    for name in split.validation:
        if name in split.unseen:
            text = f"class {name!r} is both unseen and for validation; only seen classes may be chosen on"
            yield Mistake(split.place("validation", name), text)
        elif not split.train.get(name):
            text = f"validation class {name!r} has no photo under train; a class to choose on is a seen one"
            yield Mistake(split.place("validation", name), text)


def _sides(split: FolderSplit) -> Iterator[Mistake]:
    """Roles without a class, and classes without photos on one side."""
    for key, names in (("unseen", split.unseen), ("validation", split.validation)):
        if not names:
            yield Mistake(split.place(key, ""), f"{key}: got no class; at least one is needed")
    for name in split.test:
        if name not in split.unseen and not split.train.get(name):
            text = f"class {name!r} has photos under test only; name it under unseen, or give it photos under train"
            yield Mistake(split.place("test", name), text)
    for name in split.train:
        if name not in split.unseen and not split.test.get(name):
            yield Mistake(split.place("train", name), f"seen class {name!r} has no photo under test; move one there")


def _overlaps(split: FolderSplit) -> Iterator[Mistake]:
    for name, photos in split.train.items():
        if both := [photo for photo in photos if photo in set(split.test.get(name, ()))]:
            text = f"photos of {name!r} are under train and under test: {few(both)}; remove them from one"
            yield Mistake(split.place("test", name), text)


def _gone(split: FolderSplit, photos: PhotoFolder, described: Collection[str]) -> Iterator[Mistake]:
    """Classes and photos that the folder does not have."""
    advice = "put them back, or let `duet benchmark split DIR --extend` take them out"
    for name in split.classes:
        key = next(key for key in ("train", "test", "unseen") if name in getattr(split, key))
        if name not in described:
            yield Mistake(split.place(key, name), f"class {name!r} is not described in the attributes file; {advice}")
        elif not photos.files.get(name):
            yield Mistake(split.place(key, name), f"class {name!r} has no photos any more; {advice}")
    for key, side in (("train", split.train), ("test", split.test)):
        for name, own in side.items():
            missing = [photo for photo in own if photo not in photos.files.get(name, {})]
            if missing and photos.files.get(name):
                text = f"{len(missing)} photos of {name!r} are not there ({few(missing)}); {advice}"
                yield Mistake(split.place(key, name), text)


def _counts(split: FolderSplit) -> Iterator[Mistake]:
    for name, photos in split.train.items():
        least = LEAST_TRAIN if name in split.validation else LEAST_TRAIN + 1
        if photos and name not in split.unseen and len(photos) < least:
            why = "4 to learn from" + ("" if name in split.validation else " and 1 held out while choosing")
            yield Mistake(split.place("train", name), f"class {name!r}: {len(photos)} photos; at least {least}: {why}")
    learned = [name for name in split.train if name not in split.validation and name not in split.unseen]
    if len(learned) < 2:
        text = (
            f"{len(learned)} classes are left to learn from while choosing; at least 2, not unseen nor for validation"
        )
        yield Mistake(split.place("validation", ""), text)
