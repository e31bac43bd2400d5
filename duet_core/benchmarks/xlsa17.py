"""The official xlsa17 layout of CUB, SUN, AWA2 and subsets of them (Xian et al., "Proposed Split")."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duet_core.benchmarks.benchmark import Benchmark, BenchmarkError
from duet_core.benchmarks.check_table import STOPS, Check, Report
from duet_core.benchmarks.mat_files import Outcome
from duet_core.benchmarks.official import table_2
from duet_core.benchmarks.photo_list import photo_path
from duet_core.benchmarks.xlsa17_checks import content_checks
from duet_core.benchmarks.xlsa17_files import LOCS, PHOTOS, Xlsa17, read_xlsa17
from duet_core.benchmarks.xlsa17_folds import FOLDS, Folds, sound_folds
from duet_core.classes import ClassTable

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Inspection:
    """What a folder holds, with a row for each check. `folds` is None and `paths` short where a check failed."""

    raw: Xlsa17
    checks: list[Check]
    folds: Folds | None
    paths: tuple[Path, ...]


def load_xlsa17(
    root: Path, images: Path | None = None, name: str | None = None, *, check_photos: bool = True
) -> Benchmark:
    """Read a folder in the official layout; the three benchmarks and subsets such as CUB127 go through the same code.

    Read are ``att_splits.mat``; ``res101.mat`` (labels and file names, never the features) or the data set's own list
    of photos; the names of the attributes, which say whether it is CUB (``attributes.txt``), SUN (``attributes.mat``)
    or AWA2 (``predicates.txt``); and for checks ``allclasses.txt``, ``trainvalclasses.txt``, ``testclasses.txt`` and
    ``binaryAtt_splits.mat`` where they are. What is repaired on reading is logged, above all leaky or absent
    train_loc and val_loc.

    Args:
        root: the folder.
        images: folder of the photos, ``<images>/<class>/<photo>.jpg``; ``root/images`` (or ``root/JPEGImages``,
            as the file names in res101.mat say) when not given.
        name: name of the benchmark; the folder's name when not given.
        check_photos: refuse the benchmark when photo files are missing.

    Raises:
        BenchmarkError: files are missing or contradict one another; every problem found is reported, those that rest
            on another one once that one is mended.
    """
    found = _inspect(root, images, check_photos=check_photos)
    problems = [check.problem for check in found.checks if check.state in STOPS]
    raw = found.raw
    if problems or raw.schema is None or found.folds is None:
        raise BenchmarkError(str(root), problems)
    for check in found.checks:
        if check.state == "repaired":
            _LOGGER.warning("%s: %s", root, check.problem)
    seen = np.zeros(len(raw.class_names), dtype=np.bool_)
    seen[np.unique(raw.labels[raw.trainval])] = True
    return Benchmark(
        name=name or root.name,
        schema=raw.schema,
        classes=ClassTable(names=raw.class_names, raw=raw.original_att.astype(np.float32), seen=seen),
        image_paths=found.paths,
        labels=raw.labels,
        trainval=raw.trainval,
        test_seen=raw.test_seen,
        test_unseen=raw.test_unseen,
        train=found.folds[0],
        val=found.folds[1],
    )


def check_xlsa17(root: Path, images: Path | None = None) -> Report:
    """Every check of the folder, also those after the first that fails, with the paper's Table 2 beside it."""
    found = _inspect(root, images, check_photos=True)
    raw, source = found.raw, found.raw.source
    classes, seen = len(raw.class_names), "?"
    if not _waits(found.checks, "labels", "trainval_loc"):
        seen = str(len(np.unique(raw.labels[raw.trainval])))
    elif raw.seen_lines is not None:  # without labels, what the list of seen classes says
        seen = str(len(set(raw.seen_lines) & set(raw.class_names)))
    figures = table_2(
        source.name if source else "",
        prompts=len(raw.schema.prompts) if raw.schema else 0,
        attributes=raw.original_att.shape[1],
        classes=f"{classes} ({seen} / {classes - int(seen) if seen != '?' else '?'})",
        photos=(len(raw.trainval), len(raw.test_seen) + len(raw.test_unseen)),
    )
    what = source.name if source else "no attribute names"
    return Report(f"{root}: xlsa17 layout, {what}", found.checks, figures, ("Table 2", "here", "paper"))


def _inspect(root: Path, images: Path | None, *, check_photos: bool) -> _Inspection:
    raw, files = read_xlsa17(root)
    checks = [*files, *content_checks(raw, files)]
    folds: Folds | None = None
    needs = ("train_loc", "val_loc", *LOCS) if raw.train is not None else ("labels", *LOCS)
    if waits := _waits(checks, *needs):
        outcome = Outcome("skipped", f"waits for {waits}")
    else:
        outcome, folds = sound_folds(raw)
    checks.append(Check(FOLDS, *outcome))
    paths: tuple[Path, ...] = ()
    if waits := _waits(checks, PHOTOS):
        checks.append(Check("photos", "skipped", f"waits for {waits}"))
    else:
        outcome, paths = _photos(raw.image_files, root, images, must_be_there=check_photos)
        checks.append(Check("photos", *outcome))
    return _Inspection(raw, checks, folds, paths)


def _photos(
    files: Sequence[str], root: Path, images: Path | None, *, must_be_there: bool
) -> tuple[Outcome, tuple[Path, ...]]:
    """The photos on this machine, and what to say of missing ones: how many, three by name."""
    found = [photo_path(file, root, images) for file in files]
    paths = tuple(path for path in found if path is not None)
    expected, advice = f"{len(files):,} photos", "give their folder: data.images in a recipe, --images of the command"
    if missing := [path for path in paths if must_be_there and not path.is_file()]:
        examples = ", ".join(str(path) for path in missing[:3])
        return Outcome(
            "missing", f"{len(paths) - len(missing)} of {len(paths)}", expected, f"{advice}; no {examples}"
        ), paths
    return Outcome("ok", f"{len(paths):,} {'found' if must_be_there else 'named'}", expected), paths


def _waits(checks: Sequence[Check], *names: str) -> str:
    """Those of the named checks that are not sound, joined; those without a row are."""
    return ", ".join(check.name for check in checks if check.name in names and check.state in (*STOPS, "skipped"))
