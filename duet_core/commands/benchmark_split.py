"""`duet benchmark split`: which classes and photos of a folder of your own are learned from, and which are judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duet_core.benchmarks.folder_reading import OwnFolder
    from duet_core.benchmarks.folder_split import FolderSplit


def run(
    root: Path,
    *,
    unseen: Sequence[str] = (),
    validation: Sequence[str] = (),
    seed: int = 0,
    extend: bool = False,
    images: Path | None = None,
) -> Iterator[str]:
    """Draw the split of a folder of your own and write splits.yaml, or extend it by photos that came since.

    A split that is there is never drawn anew: remove splits.yaml for that, and the runs made with it.

    Args:
        root: the folder, with images/ and the attributes file.
        unseen: a class that no photo is learned from; may be given again. Without it a quarter is drawn.
        validation: a seen class that is held out while choosing; may be given again. Without it a quarter is drawn.
        seed: of what is drawn.
        extend: take in new photos and classes and take out what is gone; nothing changes sides.
        images: folder of the photos; default the one inside root.

    Raises BenchmarkError with every mistake found, and for a split that is there without --extend.
    """
    from duet_core.benchmarks import image_folder
    from duet_core.benchmarks.folder_reading import read_folder
    from duet_core.benchmarks.folder_split import SPLIT_FILE, write_split

    if (root / SPLIT_FILE).exists() and not extend:
        raise ValueError(
            f"{root / SPLIT_FILE} is there; --extend adds what is new, or remove it and the runs made with it"
        )
    if extend and (validation or seed or not (root / SPLIT_FILE).exists()):
        raise ValueError("--extend keeps a split that is there, with its seed and its validation classes")
    folder = read_folder(root, images, unseen=unseen, check_split=False)
    image_folder.refuse(folder)
    _know(folder, unseen=unseen, validation=validation)
    before = folder.split
    if before is None:
        folder.split = image_folder.draw_split(folder, seed=seed, unseen=unseen, validation=validation)
    else:
        folder.split = image_folder.extended_split(folder, before, unseen=unseen)
        yield from _changes(before, folder.split)
    _check(folder, folder.split)
    file = write_split(root, folder.split)
    yield f"{file}: {image_folder.told(folder)}"
    yield from (f"note: {note}" for note in image_folder.unlearnable(folder, folder.split))


def _check(folder: OwnFolder, split: FolderSplit) -> None:
    """Refuse to write a split that could not be trained on."""
    from duet_core.benchmarks import image_folder
    from duet_core.benchmarks.folder_split_checks import split_mistakes

    folder.mistakes += split_mistakes(split, folder.photos, folder.classes)
    image_folder.refuse(folder)


def _know(folder: OwnFolder, **named: Sequence[str]) -> None:
    """Raise ValueError for a class that is not there or has two roles."""
    for option, names in named.items():
        for name in names:
            if name not in folder.classes:
                near = get_close_matches(name, folder.classes, n=3) or folder.classes[:3]
                raise ValueError(
                    f"--{option}: no class {name!r} with photos and a description; such as {', '.join(near)}"
                )
    if both := set(named["unseen"]) & set(named["validation"]):
        raise ValueError(f"{', '.join(sorted(both))}: both unseen and for validation; name it once")


def _changes(before: FolderSplit, after: FolderSplit) -> Iterator[str]:
    for key in ("train", "test"):
        old, new = ({(n, p) for n, own in getattr(split, key).items() for p in own} for split in (before, after))
        yield f"{key}: {len(new - old)} photos came, {len(old - new)} are gone, {len(new & old)} stayed"
