"""The classes and attributes of a benchmark alone: enough for statistics, where no photo is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from duet_core.attributes import AttributeSchema
from duet_core.benchmarks.benchmark import BenchmarkError
from duet_core.benchmarks.check_table import STOPS, Check
from duet_core.benchmarks.folder_reading import is_own_folder, read_folder
from duet_core.benchmarks.image_folder import refuse
from duet_core.benchmarks.xlsa17_classes import class_names, matrix_of, official_prompt_sets
from duet_core.benchmarks.xlsa17_files import NAMES, SPLIT, read_xlsa17
from duet_core.classes import ClassTable


def read_class_table(root: Path) -> tuple[AttributeSchema, ClassTable]:
    """Attributes with their prompt sets, and classes with their degrees.

    In the official layout from att_splits.mat and the attribute names: neither photos nor a list of them are needed,
    and a class is seen when trainvalclasses.txt names it. Of a folder of one's own, the classes that take part.

    Raises NotADirectoryError when there is no such folder, BenchmarkError with every problem of what is read.
    """
    if not root.is_dir():
        raise NotADirectoryError(f"no folder {root}; give the folder of a benchmark's files, such as data/CUB")
    return _own(root) if is_own_folder(root) else _official(root)


def _own(root: Path) -> tuple[AttributeSchema, ClassTable]:
    folder = read_folder(root)
    refuse(folder)
    assert folder.described is not None
    split = folder.split
    names = tuple(name for name in folder.classes if split is None or name in split.classes)
    seen = np.array([split is not None and name not in split.unseen for name in names], dtype=np.bool_)
    return folder.described.schema, folder.described.table(folder.rows(names), seen)


def _official(root: Path) -> tuple[AttributeSchema, ClassTable]:
    raw, files = read_xlsa17(root)
    checks = [check for check in files if check.name in (SPLIT, NAMES)]
    if not any(check.state in STOPS for check in checks):
        outcomes = {
            "classes": class_names(raw),
            "prompt sets": official_prompt_sets(raw),
            "original_att": matrix_of("original_att", raw),
        }
        checks += [Check(name, *outcome) for name, outcome in outcomes.items() if outcome is not None]
    problems = [check.problem for check in checks if check.state in STOPS]
    if problems or raw.schema is None:
        raise BenchmarkError(str(root), problems)
    named = set(raw.seen_lines or ())
    seen = np.array([name in named for name in raw.class_names], dtype=np.bool_)
    return raw.schema, ClassTable(names=raw.class_names, raw=raw.original_att.astype(np.float32), seen=seen)
