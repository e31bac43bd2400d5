"""The files of an xlsa17 folder, read as they are and made 0-based; each with a row that says how that went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from duet_core.attributes import AttributeSchema, SchemaError
from duet_core.benchmarks.attribute_names import read_attribute_names
from duet_core.benchmarks.check_table import Check
from duet_core.benchmarks.mat_files import Outcome, UnusableFileError, by_class, read_mat, strings, zero_based
from duet_core.benchmarks.official import AWA2, CUB, OFFICIAL, SUN, Official
from duet_core.benchmarks.photo_list import read_photo_list
from duet_core.benchmarks.prompt_sets import official_schema
from duet_core.classes import IntArray

LOCS = ("trainval_loc", "test_seen_loc", "test_unseen_loc")
SPLIT, PHOTOS, NAMES, BINARY = "att_splits.mat", "res101.mat", "attribute names", "binaryAtt_splits.mat"

BinaryMatrix = tuple[tuple[str, ...], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Xlsa17:
    """The content of the files: rows 0-based, matrices (C, A), everything else as the makers wrote it.

    What a missing file would have held is empty, or None where it is optional.

    Attributes:
        source: whose attribute names there are.
        binary: class names and (C, A) matrix of binaryAtt_splits.mat, in that file's order of classes.
    """

    source: Official | None
    schema: AttributeSchema | None
    class_names: tuple[str, ...]
    class_lines: tuple[str, ...] | None
    seen_lines: tuple[str, ...] | None
    unseen_lines: tuple[str, ...] | None
    val_lines: tuple[str, ...] | None
    labels: IntArray
    image_files: tuple[str, ...]
    att: NDArray[np.float64]
    original_att: NDArray[np.float64]
    trainval: IntArray
    test_seen: IntArray
    test_unseen: IntArray
    train: IntArray | None
    val: IntArray | None
    binary: BinaryMatrix | None

    @property
    def photos(self) -> int:
        """N; where no list of photos is, what the splits hold together."""
        return len(self.labels) or len(self.trainval) + len(self.test_seen) + len(self.test_unseen)


def read_xlsa17(root: Path) -> tuple[Xlsa17, list[Check]]:
    """Everything that can be read, and a row for each file."""
    split_row, split = _read_split(root)
    class_names = strings(split["allclasses_names"])
    photos_row, labels, image_files = read_photo_list(root, class_names)
    names_row, source, schema = _read_names(root, attributes=len(split["original_att"]))
    binary_row, binary = _read_binary(root)
    raw = Xlsa17(
        source=source,
        schema=schema,
        class_names=class_names,
        class_lines=_optional_lines(root / "allclasses.txt"),
        seen_lines=_optional_lines(root / "trainvalclasses.txt"),
        unseen_lines=_optional_lines(root / "testclasses.txt"),
        val_lines=_optional_lines(root / "valclasses1.txt"),
        labels=labels,
        image_files=image_files,
        att=by_class(split["att"]),
        original_att=by_class(split["original_att"]),
        trainval=zero_based(split["trainval_loc"]),
        test_seen=zero_based(split["test_seen_loc"]),
        test_unseen=zero_based(split["test_unseen_loc"]),
        train=zero_based(split["train_loc"]) if "train_loc" in split else None,
        val=zero_based(split["val_loc"]) if "val_loc" in split else None,
        binary=binary,
    )
    rows = [(SPLIT, split_row), (PHOTOS, photos_row), (NAMES, names_row), (BINARY, binary_row)]
    return raw, [Check(name, *row) for name, row in rows if row is not None]


def _read_split(root: Path) -> tuple[Outcome, Mapping[str, Any]]:
    needed = ("allclasses_names", "att", "original_att", *LOCS)
    try:
        split = read_mat(root / SPLIT, needed, ("train_loc", "val_loc"))
    except UnusableFileError as error:
        return error.outcome, dict.fromkeys(needed, np.zeros((0, 0)))
    return Outcome("ok", f"{len(split['allclasses_names'])} classes"), split


def _read_names(root: Path, *, attributes: int) -> tuple[Outcome, Official | None, AttributeSchema | None]:
    """The attributes in their official order, from the file that names CUB, SUN or AWA2."""
    for source, file in ((CUB, root / "attributes.txt"), (CUB, root / "attributes" / "attributes.txt")):
        if file.is_file():
            return _parsed(source, file)
    for source in (SUN, AWA2):
        if (root / source.names_file).is_file():
            return _parsed(source, root / source.names_file)
    wanted = [source for source in OFFICIAL if source.attributes == attributes] or OFFICIAL
    files = " or ".join(f"{source.names_file} of {source.names_from}" for source in wanted)
    return Outcome("missing", "no file", advice=f"xlsa17 holds no names: copy {files} here"), None, None


def _parsed(source: Official, file: Path) -> tuple[Outcome, Official, AttributeSchema | None]:
    try:
        if source is CUB:
            schema = read_attribute_names(file)
        elif source is SUN:
            names = strings(read_mat(file, ("attributes",), advice=f"take it from {SUN.names_from}")["attributes"])
            schema = official_schema(SUN.name, names)
        else:
            schema = official_schema(AWA2.name, _predicates(file))
    except SchemaError as error:
        return Outcome("wrong", str(error), advice=f"take {file.name} of {source.names_from}"), source, None
    except UnusableFileError as error:
        return error.outcome, source, None
    return Outcome("ok", f"{len(schema)} of {source.name} from {file.name}"), source, schema


def _predicates(file: Path) -> list[str]:
    """The names of ``predicates.txt``, lines ``<number from 1> <name>``; a missing line is refused."""
    names = []
    for number, line in enumerate(_lines(file), start=1):
        given, *name = line.split(maxsplit=1)
        if given != str(number) or not name:
            raise SchemaError(f"{file.name} line {number}: got {line!r}; expected '{number} <name>'")
        names.append(name[0])
    return names


def _read_binary(root: Path) -> tuple[Outcome | None, BinaryMatrix | None]:
    """AWA2's official binary matrix, where it is; the splits in that file are of version 1 and not read."""
    if not (root / BINARY).is_file():
        return None, None
    try:
        content = read_mat(root / BINARY, ("allclasses_names", "att"))
    except UnusableFileError as error:
        return error.outcome, None
    matrix = by_class(content["att"])
    return Outcome("ok", f"{matrix.shape[0]} classes"), (strings(content["allclasses_names"]), matrix)


def _lines(path: Path) -> tuple[str, ...]:
    return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def _optional_lines(path: Path) -> tuple[str, ...] | None:
    return _lines(path) if path.is_file() else None
