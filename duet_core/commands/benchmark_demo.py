"""`duet benchmark demo`: a folder of drawn photos to try everything on."""

from __future__ import annotations

from pathlib import Path


def run(root: Path, *, photos: int = 40, seed: int = 0) -> str:
    """Draw photos of twelve classes, four colours by three shapes, into DIR/images: something to try the steps on.

    Args:
        root: the folder; made when it is not there.
        photos: of each class, 6 or more.
        seed: of what differs from photo to photo.

    Raises ValueError when DIR/images is there.
    """
    from duet_core.benchmarks.drawn_shapes import draw_shapes
    from duet_core.benchmarks.folder_reading import LEAST_TO_LEARN

    if photos < LEAST_TO_LEARN:
        raise ValueError(f"photos: got {photos}; allowed is {LEAST_TO_LEARN} or more")
    if (root / "images").exists():
        raise ValueError(f"{root / 'images'} is there; nothing was drawn into it")
    names = draw_shapes(root / "images", photos=photos, seed=seed)
    return f"{root / 'images'}: {photos} photos of each of {len(names)} classes; next: duet benchmark init {root}"
