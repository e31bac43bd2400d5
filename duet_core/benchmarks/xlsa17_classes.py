"""Checks of the classes and their degrees: names, prompt sets, shapes, norms, versions, the binary matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from duet_core.benchmarks.mat_files import ARCHIVE, Outcome, agree
from duet_core.benchmarks.prompt_sets import prompt_sets
from duet_core.benchmarks.xlsa17_files import SPLIT, Xlsa17
from duet_core.classes import ClassTable

_TOLERANCE = 1e-5


def class_names(raw: Xlsa17) -> Outcome:
    """The order of allclasses_names is that of the labels; allclasses.txt must have the same where it is."""
    if len(set(raw.class_names)) != len(raw.class_names):
        return Outcome("wrong", "names that repeat", "each class once", ARCHIVE)
    if raw.class_lines is not None and raw.class_lines != raw.class_names:
        got = f"{len(raw.class_lines)} names in allclasses.txt that differ from allclasses_names of {SPLIT}"
        expected = f"the same {len(raw.class_names)} in the same order, which is the label order"
        return Outcome("wrong", got, expected, "take both files from the same archive")
    same = "no allclasses.txt to compare" if raw.class_lines is None else "as in allclasses.txt"
    return Outcome("ok", f"{len(raw.class_names)}, {same}")


def official_prompt_sets(raw: Xlsa17) -> Outcome | None:
    """As many attributes as a benchmark has are that benchmark's, in its prompt sets."""
    if raw.schema is None or raw.source is None:
        return None
    here = [(attribute.prompt, attribute.name) for attribute in raw.schema.attributes]
    got = f"{len(raw.schema.prompts)} with {len(here)} attributes"
    if len(here) != raw.source.attributes:
        return Outcome("ok", f"{got}, a part of {raw.source.name}'s {raw.source.attributes}")
    expected = f"{raw.source.prompts} with {raw.source.attributes} attributes"
    strange = sorted(set(here) ^ set(prompt_sets(raw.source.name).values()))
    if strange:
        got = f"{got}, among them or left out {': '.join(strange[0])!r}"
        return Outcome("wrong", got, expected, f"take {raw.source.names_file} of {raw.source.names_from}")
    return Outcome("ok", got, expected)


def matrix_of(field: str, raw: Xlsa17) -> Outcome:
    """A finite number for each class and attribute."""
    matrix: NDArray[np.float64] = getattr(raw, field)
    attributes = matrix.shape[1] if raw.schema is None else len(raw.schema)
    expected = f"({attributes}, {len(raw.class_names)}) (attributes, classes), finite"
    got = f"{matrix.shape[::-1]} (attributes, classes)"
    if matrix.shape != (len(raw.class_names), attributes):
        return Outcome("wrong", got, expected, "take names, classes and degrees from the same benchmark")
    if not np.isfinite(matrix).all():
        return Outcome("wrong", "NaN or infinity", "finite numbers", ARCHIVE)
    return Outcome("ok", got, expected)


def unit_norms(raw: Xlsa17) -> Outcome:
    """att is published divided by its norm."""
    norms = np.linalg.norm(raw.att, axis=1)
    bad = np.flatnonzero(np.abs(norms - 1.0) > _TOLERANCE)
    if len(bad):
        got = f"norm {norms[bad[0]]:.4g} for {raw.class_names[bad[0]]!r} ({len(bad)} such classes)"
        return Outcome("wrong", got, "1", "att holds unit columns, original_att the raw degrees")
    return Outcome("ok", "1 for every class", "1")


def same_version(raw: Xlsa17) -> Outcome:
    """att is original_att divided by its norm."""
    norms = np.linalg.norm(raw.original_att, axis=1, keepdims=True)
    if (norms == 0).any():
        return Outcome("wrong", f"no degree for {raw.class_names[int(np.argmin(norms))]!r}", "one above 0", ARCHIVE)
    distance = float(np.abs(raw.att - raw.original_att / norms).max())
    got = f"up to {distance:.2g} away from original_att divided by its norm"
    return agree(distance <= _TOLERANCE, got, f"at most {_TOLERANCE}", "the two are not of the same version")


def binary_matrix(raw: Xlsa17) -> Outcome | None:
    """The one threshold over all degrees must give AWA2's official binary matrix."""
    if raw.binary is None:
        return None
    names, matrix = raw.binary
    if sorted(names) != sorted(raw.class_names) or matrix.shape != raw.original_att.shape:
        return Outcome("wrong", f"{matrix.shape[::-1]} of other classes", "those of att_splits.mat", ARCHIVE)
    row_of = {name: row for row, name in enumerate(names)}
    official = matrix[[row_of[name] for name in raw.class_names]] > 0
    unseen = np.zeros(len(names), dtype=np.bool_)
    present = ClassTable(names=raw.class_names, raw=raw.original_att.astype(np.float32), seen=unseen).present
    differ = int((present != official).sum())
    return agree(not differ, f"{differ} of {present.size:,} entries differ from degree > mean", "none", ARCHIVE)
