"""The photos of a folder with one subfolder for each class, and what is odd about the files in it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from duet_core.benchmarks.descriptions import plain_name
from duet_core.benchmarks.mistakes import Mistake, Place
from duet_core.runtime.photo_parts import FORMATS, FORMATS_IN_WORDS, MAX_ASPECT, MAX_PIXELS, PhotoError
from duet_core.runtime.preprocess import load_rgb

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""Endings of photos, in capitals too."""
LEAST_SIDE = 32
"""Pixels of the short side below which a photo shows too little."""

Photo = tuple[str, str]
"""The plain names of a photo's class and of its file."""


@dataclass(frozen=True)
class PhotoFolder:
    """The photos found.

    Attributes:
        root: the folder of the classes' folders.
        files: plain name of a class -> plain names of its photos -> the files; both in alphabetical order.
        mistakes: what cannot be used.
        notes: what was passed over.
    """

    root: Path
    files: Mapping[str, Mapping[str, Path]]
    mistakes: tuple[Mistake, ...] = ()
    notes: tuple[str, ...] = ()

    def file(self, photo: Photo) -> Path:
        """Where a photo lies."""
        return self.files[photo[0]][photo[1]]

    def __iter__(self) -> Iterator[Photo]:
        """All photos, class after class."""
        return ((name, photo) for name, photos in self.files.items() for photo in photos)


def find_photos(root: Path) -> PhotoFolder:
    """The photos ``<root>/<class>/<photo>.jpg`` (.jpeg, .png, .webp); hidden files and folders are ignored."""
    if not root.is_dir():
        text = "no such folder; put the photos of each class in a folder of its own in it, as images/red fox/1.jpg"
        return PhotoFolder(root, {}, (Mistake(Place(f"{root.name}/"), text),))
    mistakes: list[Mistake] = []
    notes: list[str] = []
    files: dict[str, dict[str, Path]] = {}
    for folder in _visible(root):
        where = Place(f"{root.name}/{_shown(folder)}")
        if not folder.is_dir():
            notes.append(f"{where}: left out, it lies in no class's folder")
        elif (name := _plain(folder, where, mistakes)) in files:
            mistakes.append(Mistake(where, "another folder has the same name with its accents written otherwise"))
        elif name is not None:
            files[name] = _photos_of(folder, where, mistakes, notes)
    if not files and not mistakes:
        mistakes.append(Mistake(Place(f"{root.name}/"), "no class in it; make a folder for each, as images/red fox"))
    ordered = {name: dict(sorted(files[name].items())) for name in sorted(files)}
    return PhotoFolder(root, ordered, tuple(mistakes), tuple(notes))


def _photos_of(folder: Path, where: Place, mistakes: list[Mistake], notes: list[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    others: list[str] = []
    for file in _visible(folder):
        here = Place(f"{where}/{_shown(file)}")
        if not file.is_file() or file.suffix.lower() not in SUFFIXES:
            others.append(_shown(file) + ("/" if file.is_dir() else ""))
        elif (name := _plain(file, here, mistakes)) in found:
            mistakes.append(Mistake(here, "another photo has the same name with its accents written otherwise"))
        elif name is not None:
            found[name] = file
    if others:
        shown = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        notes.append(f"{where}: left out {shown}; photos are files ending in {', '.join(SUFFIXES)}")
    return found


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _shown(path: Path) -> str:
    """A name that can be printed, whatever its bytes."""
    return path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _plain(path: Path, where: Place, mistakes: list[Mistake]) -> str | None:
    """The plain name; None, and a mistake, for one that no text file could hold."""
    name = plain_name(path.name)
    if not name.isprintable():  # bytes that are no UTF-8 come as characters that are not printable either
        mistakes.append(Mistake(where, "the name has characters that cannot be printed or are not UTF-8; rename it"))
        return None
    return name


def content_mistakes(photos: PhotoFolder, *, decode: bool = False) -> Iterator[Mistake]:
    """Photos that cannot be read or show too little, by their header alone, or decoded as for training."""
    for name, photo in photos:
        place = Place(f"{photos.root.name}/{name}/{photo}")
        file = photos.files[name][photo]
        try:
            with Image.open(file, formats=FORMATS) as image:
                width, height = image.size
            if min(width, height) < LEAST_SIDE:
                yield Mistake(place, f"{width} x {height} pixels; at least {LEAST_SIDE} are needed on each side")
            elif max(width, height) > MAX_ASPECT * min(width, height) or width * height > MAX_PIXELS:
                limits = f"at most {MAX_PIXELS} in all, and one side at most {MAX_ASPECT} times the other"
                yield Mistake(place, f"{width} x {height} pixels; {limits}")
            elif decode:
                load_rgb(file)
        except PhotoError as error:
            yield Mistake(place, str(error).removeprefix(f"{file}: "))
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError):
            yield Mistake(place, f"not a readable {FORMATS_IN_WORDS} photo; replace or remove it")


def copies(photos: PhotoFolder) -> dict[Photo, str]:
    """The SHA-256 of the content of every photo that has a copy, byte for byte; only files of equal size are read."""
    of_size: dict[int, list[Photo]] = defaultdict(list)
    for photo in photos:
        of_size[photos.file(photo).stat().st_size].append(photo)
    of_content: dict[str, list[Photo]] = defaultdict(list)
    for group in of_size.values():
        for photo in group if len(group) > 1 else ():
            of_content[hashlib.sha256(photos.file(photo).read_bytes()).hexdigest()].append(photo)
    return {photo: content for content, group in of_content.items() if len(group) > 1 for photo in group}
