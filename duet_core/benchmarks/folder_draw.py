"""Drawing a split of a folder of photos, and extending one by photos that came later; by seed, always the same."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from duet_core.benchmarks.folder_photos import Photo
from duet_core.benchmarks.folder_split import FolderSplit, Photos
from duet_core.classes import BoolArray

TEST_SHARE = 0.2
"""Of each seen class, as in the Proposed Split."""
CLASS_SHARE = 0.25
"""Of the classes that are unseen, and of the seen ones that are held out for validation."""
LEAST_CLASSES = 4
"""One unseen, one for validation, two to learn from."""


def draw_classes(names: Sequence[str], present: BoolArray, *, count: int, seed: int) -> tuple[str, ...]:
    """`count` of the classes to hold out, such that as far as possible the others have all of their attributes.

    An attribute that no class to learn from has cannot be learned, so a class is passed over while it is the last of
    the others that has one of its attributes; only when too few are left are such classes taken.

    Args:
        names: (C,) classes.
        present: (C, A) which attributes each has.
        count: how many, below C.
        seed: of the draw; the order of `names` does not matter.
    """
    order = [
        sorted(range(len(names)), key=names.__getitem__)[i] for i in _generator(seed, "classes").permutation(len(names))
    ]
    left = present.sum(axis=0)
    chosen: list[int] = []
    for row in order:
        if len(chosen) < count and (left[present[row]] > 1).all():
            chosen.append(row)
            left = left - present[row]
    chosen += [row for row in order if row not in chosen][: count - len(chosen)]
    return tuple(sorted(names[row] for row in chosen))


def draw_photos(name: str, photos: Sequence[str], copies: Mapping[Photo, str], *, seed: int) -> tuple[str, ...]:
    """The test photos of a seen class: a fifth of them, at least one; copies of one photo stay on one side.

    Args:
        name: the class; its draw does not depend on the other classes.
        photos: all of its photos.
        copies: content of the photos that have copies.
        seed: of the draw.
    """
    return _fill((), _groups(name, photos, copies), len(photos), _generator(seed, name))


def extend_photos(split: FolderSplit, name: str, photos: Sequence[str], copies: Mapping[Photo, str]) -> FolderSplit:
    """The split with the new photos of a class that is in it already, and without those that are gone.

    No photo changes sides. A new photo that is a copy of an old one joins it; of the others as many go to the test as
    bring it to a fifth.
    """
    kept = {side: tuple(p for p in sides.get(name, ()) if p in set(photos)) for side, sides in _sides(split)}
    old = {photo: side for side, those in kept.items() for photo in those}
    new: list[str] = []
    for photo in photos:
        twins = [old[p] for p in old if (name, photo) in copies and copies.get((name, p)) == copies[name, photo]]
        if photo not in old and twins:
            kept[twins[0]] += (photo,)
        elif photo not in old:
            new.append(photo)
    if name in split.unseen:
        kept["test"] += tuple(new)
    else:
        generator = _generator(split.seed, f"{name}\0{len(photos)}")
        test = _fill(kept["test"], _groups(name, new, copies), len(photos), generator)
        kept["train"] += tuple(p for p in new if p not in test)
        kept["test"] = test
    sorted_sides = {side: tuple(sorted(those)) for side, those in kept.items()}
    return replace(
        split,
        train=_with(split.train, name, sorted_sides["train"]),
        test=_with(split.test, name, sorted_sides["test"]),
    )


def _sides(split: FolderSplit) -> tuple[tuple[str, Photos], ...]:
    return ("train", split.train), ("test", split.test)


def _with(photos: Photos, name: str, those: tuple[str, ...]) -> Photos:
    others = {other: own for other, own in photos.items() if other != name}
    return dict(sorted((others | ({name: those} if those else {})).items()))


def _groups(name: str, photos: Sequence[str], copies: Mapping[Photo, str]) -> list[list[str]]:
    """The photos, those with the same content together."""
    groups: dict[str, list[str]] = {}
    for photo in photos:
        groups.setdefault(copies.get((name, photo), f"\0{photo}"), []).append(photo)
    return list(groups.values())


def _fill(test: Sequence[str], groups: list[list[str]], total: int, generator: np.random.Generator) -> tuple[str, ...]:
    """`test` with groups drawn until it has its share of `total` photos; never the last group of a class."""
    wanted = max(round(TEST_SHARE * total), 1)
    shuffled = [groups[i] for i in generator.permutation(len(groups))]
    chosen = list(test)
    for group in shuffled:
        if len(chosen) + len(group) <= wanted:
            chosen += group
    if not chosen and len(shuffled) > 1:
        chosen += shuffled[int(np.argmin([len(group) for group in shuffled]))]
    return tuple(sorted(chosen))


def _generator(seed: int, what: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(what.encode())])
