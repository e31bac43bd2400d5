"""The official xlsa17 layout of CUB and its subsets (Xian et al., "Proposed Split") read into a `Benchmark`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from duet_core.attributes import AttributeSchema, SchemaError
from duet_core.benchmarks.attribute_names import read_attribute_names
from duet_core.benchmarks.benchmark import Benchmark, BenchmarkError
from duet_core.benchmarks.xlsa17_checks import Xlsa17, consistency_problems, photo_problems
from duet_core.benchmarks.xlsa17_folds import sound_folds
from duet_core.classes import ClassTable, IntArray

_MARKERS = ("/images/", "JPEGImages/")
_LOCS = ("trainval_loc", "test_seen_loc", "test_unseen_loc")


def load_xlsa17(
    root: Path, images: Path | None = None, name: str | None = None, *, check_photos: bool = True
) -> Benchmark:
    """Read a folder in the official layout; full CUB and subsets such as CUB127 go through the same code.

    Read are ``res101.mat`` (labels and file names, never the features), ``att_splits.mat``, ``allclasses.txt``,
    ``attributes.txt``, and for checks ``trainvalclasses.txt`` and ``testclasses.txt``. Leaky or absent train_loc and
    val_loc are repaired and that is logged (see `sound_folds`).

    Args:
        root: the folder.
        images: folder of the photos, ``<images>/<class>/<photo>.jpg``; ``root/images`` (or ``root/JPEGImages``,
            as the file names in res101.mat say) when not given.
        name: name of the benchmark; the folder's name when not given.
        check_photos: refuse the benchmark when photo files are missing.

    Raises:
        BenchmarkError: files are missing or contradict one another; every problem found is reported (files first,
            then content, then the folds, each judged once what it rests on is sound).
    """
    where = str(root)
    _require_files(root)
    schema = _read_schema(root, where)
    raw = _read(root, where)
    paths, problems = _photo_paths(raw, root, images)
    problems = [*consistency_problems(raw, attributes=len(schema)), *problems]
    if check_photos:
        problems += photo_problems(paths)
    if problems:
        raise BenchmarkError(where, problems)
    train, val = sound_folds(raw, where)
    seen = np.zeros(len(raw.class_names), dtype=np.bool_)
    seen[np.unique(raw.labels[raw.trainval])] = True
    return Benchmark(
        name=name or root.name,
        schema=schema,
        classes=ClassTable(names=raw.class_names, raw=raw.original_att.astype(np.float32), seen=seen),
        image_paths=paths,
        labels=raw.labels,
        trainval=raw.trainval,
        test_seen=raw.test_seen,
        test_unseen=raw.test_unseen,
        train=train,
        val=val,
    )


def _require_files(root: Path) -> None:
    needed = ("res101.mat", "att_splits.mat", "allclasses.txt")
    missing = [file for file in needed if not (root / file).is_file()]
    problems = [f"{file} is missing; copy it from the official xlsa17 archive" for file in missing]
    if not any(path.is_file() for path in _schema_files(root)):
        problems.append("attributes.txt is missing; xlsa17 lacks it, copy it from CUB_200_2011 (312 lines)")
    if problems:
        raise BenchmarkError(str(root), problems)


def _schema_files(root: Path) -> tuple[Path, ...]:
    return root / "attributes.txt", root / "attributes" / "attributes.txt"


def _read_schema(root: Path, where: str) -> AttributeSchema:
    file = next(path for path in _schema_files(root) if path.is_file())
    try:
        return read_attribute_names(file)
    except SchemaError as error:
        raise BenchmarkError(where, [str(error)]) from error


def _read(root: Path, where: str) -> Xlsa17:
    """The files as they are, made 0-based, squeezed and (C, A)."""
    fields = ("labels", "image_files")
    res101 = _loadmat(root / "res101.mat", where, fields)
    split = _loadmat(root / "att_splits.mat", where, ("allclasses_names", "att", "original_att", *_LOCS))
    return Xlsa17(
        class_names=_strings(split["allclasses_names"]),
        class_lines=_lines(root / "allclasses.txt"),
        seen_lines=_optional_lines(root / "trainvalclasses.txt"),
        unseen_lines=_optional_lines(root / "testclasses.txt"),
        val_lines=_optional_lines(root / "valclasses1.txt"),
        labels=_zero_based(res101["labels"]),
        image_files=_strings(res101["image_files"]),
        att=np.asarray(split["att"], dtype=np.float64).T,  # (A, C) -> (C, A)
        original_att=np.asarray(split["original_att"], dtype=np.float64).T,  # (A, C) -> (C, A)
        trainval=_zero_based(split["trainval_loc"]),
        test_seen=_zero_based(split["test_seen_loc"]),
        test_unseen=_zero_based(split["test_unseen_loc"]),
        train=_zero_based(split["train_loc"]) if "train_loc" in split else None,
        val=_zero_based(split["val_loc"]) if "val_loc" in split else None,
    )


def _loadmat(path: Path, where: str, needed: tuple[str, ...]) -> Mapping[str, Any]:
    """The needed fields of a MATLAB v5 file, and the two optional folds; everything else stays on disk."""
    import scipy.io
    from scipy.io.matlab import MatReadError

    try:
        content: dict[str, Any] = scipy.io.loadmat(path, variable_names=[*needed, "train_loc", "val_loc"])
    except (MatReadError, ValueError, NotImplementedError, OSError, TypeError) as error:
        raise BenchmarkError(where, [f"{path.name} is not a readable MATLAB v5 file ({error})"]) from error
    absent = [field for field in needed if field not in content]
    if absent:
        raise BenchmarkError(where, [f"{path.name} lacks {', '.join(absent)}; take the file of the official archive"])
    return content


def _zero_based(column: Any) -> IntArray:
    return np.asarray(column).astype(np.int64).reshape(-1) - 1


def _strings(cell: Any) -> tuple[str, ...]:
    return tuple(str(np.asarray(entry).reshape(-1)[0]) for entry in np.asarray(cell).reshape(-1))


def _lines(path: Path) -> tuple[str, ...]:
    return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def _optional_lines(path: Path) -> tuple[str, ...] | None:
    return _lines(path) if path.is_file() else None


def _photo_paths(raw: Xlsa17, root: Path, images: Path | None) -> tuple[tuple[Path, ...], list[str]]:
    """The photos on this machine, and what to say about names without a marker."""
    found = [_photo_path(file, root, images) for file in raw.image_files]
    paths = tuple(path for path in found if path is not None)
    if len(paths) == len(found):
        return paths, []
    example = raw.image_files[found.index(None)]
    return paths, [f"{len(found) - len(paths)} image_files hold neither {' nor '.join(_MARKERS)}: {example!r}"]


def _photo_path(file: str, root: Path, images: Path | None) -> Path | None:
    """The photo on this machine: what follows the marker in the makers' path, below the user's folder."""
    for marker in _MARKERS:
        _, found, rest = file.replace("\\", "/").partition(marker)
        if found:
            return (images if images is not None else root / marker.strip("/")) / rest
    return None
