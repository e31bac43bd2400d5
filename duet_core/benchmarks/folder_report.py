"""`duet benchmark check` of a folder of one's own: every mistake with its place, then a table of what was checked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from duet_core.benchmarks.check_table import Check, Report
from duet_core.benchmarks.folder_photos import content_mistakes, copies
from duet_core.benchmarks.folder_reading import OwnFolder, read_folder
from duet_core.benchmarks.folder_split import SPLIT_FILE, FolderSplit
from duet_core.benchmarks.image_folder import draw_split, identical_across, told, unlearnable
from duet_core.benchmarks.mistakes import Mistake, Place


@dataclass(frozen=True)
class FolderReport(Report):
    """A report whose mistakes are listed one by one.

    Attributes:
        mistakes: what stops a training.
        notes: what does not.
    """

    mistakes: Sequence[Mistake] = ()
    notes: Sequence[str] = ()

    def text(self) -> str:
        """The mistakes by place, the notes, and the table with the verdict."""
        listed = [str(mistake) for mistake in self.mistakes]
        noted = [f"note: {note}" for note in self.notes]
        return "\n".join([*listed, *noted, *([""] if listed or noted else []), super().text()])


def folder_report(root: Path, images: Path | None = None, *, decode: bool = False) -> FolderReport:
    """Everything that is to be said of a folder of one's own; nothing is written.

    Args:
        root: the folder.
        images: folder of the photos; ``root/images`` when not given.
        decode: decode every photo instead of reading its header.
    """
    folder = read_folder(root, images)
    attributes = [m for m in folder.mistakes if m.place.file.startswith("attributes.")]
    splits = [m for m in folder.mistakes if m.place.file == SPLIT_FILE]
    names = [m for m in folder.mistakes if m not in attributes and m not in splits]
    contents = list(content_mistakes(folder.photos, decode=decode))
    twice = list(_in_two_classes(folder))
    notes = list(folder.notes)
    split = folder.split
    if split is None and not (attributes or names or twice) and not (root / SPLIT_FILE).exists():
        split = folder.split = draw_split(folder)
        notes.append(
            f"no {SPLIT_FILE}: the first training draws it with seed 0 and writes it; it will be {told(folder)}"
        )
    if split is not None and folder.described is not None and not splits:
        splits += _leaks(folder, split)
        notes += unlearnable(folder, split)
    count = sum(map(len, folder.photos.files.values()))
    described = folder.described
    checks = [
        _row("photos", names, f"{count} photos in {len(folder.photos.files)} classes"),
        _row("photo files" + (", decoded" if decode else ", headers"), contents, f"{count} readable"),
        _row("same photo in two classes", twice, "none"),
        _row("attributes", attributes, "" if described is None else _size(described.schema.prompts, described.names)),
        _row("split", splits, "" if split is None else told(folder)),
    ]
    mistakes = (*names, *contents, *twice, *attributes, *splits)
    return FolderReport(f"own folder {root}", checks, mistakes=mistakes, notes=notes)


def _row(name: str, mistakes: Sequence[Mistake], fine: str) -> Check:
    if not mistakes:
        return Check(name, "ok" if fine else "skipped", fine or "not looked at: correct the other mistakes first")
    return Check(name, "wrong", f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}, see above", "none")


def _size(prompts: Sequence[str], names: Sequence[str]) -> str:
    return f"{len(names)} classes, {len(prompts)} prompt sets: {', '.join(prompts)}"


def _in_two_classes(folder: OwnFolder) -> Iterator[Mistake]:
    """Photos that lie in several classes, byte for byte the same."""
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for photo, content in copies(folder.photos).items():
        groups[content].append(photo)
    root = folder.photos.root.name
    for group in groups.values():
        first = group[0]
        for name, file in group[1:]:
            if name != first[0]:
                text = f"the same photo as {root}/{'/'.join(first)}, of another class; remove it from one of the two"
                yield Mistake(Place(f"{root}/{name}/{file}"), text)


def _leaks(folder: OwnFolder, split: FolderSplit) -> Iterator[Mistake]:
    """Photos to learn from that are also photos of the test."""
    for learned, judged in identical_across(folder, split):
        text = (
            f"test photo {'/'.join(judged)} is byte for byte {'/'.join(learned)} of train; move one to the other side"
        )
        yield Mistake(split.place("test", judged[0]), text)
