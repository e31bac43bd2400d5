"""From the name of a bundle to its folder: nothing outside one configured folder can be named."""

from __future__ import annotations

import re
from pathlib import Path

from app.patterns import FOLDER

SHOWN = 20


class NoSuchBundle(LookupError):
    """No bundle of this name; `names` are some that there are."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        super().__init__(f"there is no bundle {name[:100]!r} in the folder of bundles")
        self.names = names


def bundle_named(name: str, folder: Path) -> Path:
    """The folder of the bundle `name` below `folder`; a link counts where it leads, which must be below it too.

    Raises NoSuchBundle.
    """
    if re.fullmatch(FOLDER, name) and not name.endswith("\n") and _lies_in(folder, name):
        return (folder / name).resolve()
    raise NoSuchBundle(name, bundles_in(folder))


def bundles_in(folder: Path) -> tuple[str, ...]:
    """The first few names of bundles in a folder."""
    try:
        names = sorted(manifest.parent.name for manifest in folder.glob("*/manifest.json"))
    except OSError:
        return ()
    return tuple(name for name in names if re.fullmatch(FOLDER, name) and _lies_in(folder, name))[:SHOWN]


def _lies_in(folder: Path, name: str) -> bool:
    found = (folder / name).resolve()
    return found.is_dir() and folder.resolve() in found.parents
