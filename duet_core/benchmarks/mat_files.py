"""MATLAB v5 files: the wanted fields, and what they hold made ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duet_core.benchmarks.check_table import State
from duet_core.classes import IntArray

ARCHIVE = "take the file of the official xlsa17 archive"


class Outcome(NamedTuple):
    """A `Check` that does not know its name yet."""

    state: State
    got: str
    expected: str = ""
    advice: str = ""


def agree(is_so: bool, got: str, expected: str, advice: str) -> Outcome:
    """ok, or wrong with the advice."""
    return Outcome("ok", got, expected) if is_so else Outcome("wrong", got, expected, advice)


class UnusableFileError(ValueError):
    """A file that is missing or cannot be used; carries what is to be said of it."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__(outcome.got)


def read_mat(
    path: Path, needed: Sequence[str], optional: Sequence[str] = (), *, advice: str = ARCHIVE
) -> Mapping[str, Any]:
    """The wanted fields of a file; everything else, such as the CNN features of res101.mat, stays on disk.

    Raises UnusableFileError when it is missing, cannot be read or lacks a needed field.
    """
    import scipy.io
    from scipy.io.matlab import MatReadError

    if not path.is_file():
        raise UnusableFileError(Outcome("missing", "no file", advice=advice))
    try:
        content: dict[str, Any] = scipy.io.loadmat(path, variable_names=[*needed, *optional])
    except (MatReadError, ValueError, NotImplementedError, OSError, TypeError) as error:
        raise UnusableFileError(
            Outcome("wrong", f"bytes that are no MATLAB v5 file ({error})", advice=advice)
        ) from error
    absent = [field for field in needed if field not in content]
    if absent:
        raise UnusableFileError(Outcome("wrong", f"a file without {', '.join(absent)}", f"{', '.join(needed)}", advice))
    return content


def zero_based(column: Any) -> IntArray:
    """(n,) rows from 0 of a column of rows from 1."""
    return np.asarray(column).astype(np.int64).reshape(-1) - 1


def by_class(matrix: Any) -> NDArray[np.float64]:
    """(C, A) of the makers' (A, C)."""
    return np.asarray(matrix, dtype=np.float64).T


def strings(cell: Any) -> tuple[str, ...]:
    """The texts of a cell array."""
    return tuple(str(np.asarray(entry).reshape(-1)[0]).strip() for entry in np.asarray(cell).reshape(-1))
