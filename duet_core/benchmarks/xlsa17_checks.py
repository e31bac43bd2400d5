"""What the files of an xlsa17 folder must agree on: one rule for each check, all of them judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from duet_core.benchmarks.check_table import STOPS, Check
from duet_core.benchmarks.mat_files import Outcome
from duet_core.benchmarks.xlsa17_classes import (
    binary_matrix,
    class_names,
    matrix_of,
    official_prompt_sets,
    same_version,
    unit_norms,
)
from duet_core.benchmarks.xlsa17_files import BINARY, LOCS, NAMES, PHOTOS, SPLIT, Xlsa17
from duet_core.benchmarks.xlsa17_splits import (
    disjoint_classes,
    each_photo_once,
    folders_of_labels,
    list_lengths,
    listed_classes,
    official_counts,
    photo_paths,
    row_range,
    tested_classes,
)


@dataclass(frozen=True)
class Rule:
    """One check: its name, the checks it rests on, and how it is judged; None when there is nothing to judge."""

    name: str
    needs: tuple[str, ...]
    judge: Callable[[Xlsa17], Outcome | None]


def content_checks(raw: Xlsa17, files: list[Check]) -> list[Check]:
    """A row for every rule; one that rests on what is missing or wrong is skipped, and says on what it waits."""
    failed = {check.name for check in files if check.state in STOPS}
    rows = []
    for rule in RULES:
        waits = [name for name in rule.needs if name in failed]
        outcome = Outcome("skipped", f"waits for {', '.join(waits)}") if waits else rule.judge(raw)
        if outcome is None:
            continue
        if waits or outcome.state in STOPS:
            failed.add(rule.name)
        rows.append(Check(rule.name, *outcome))
    return rows


_LABELLED = ("labels", "image_files", "trainval_loc", "test_seen_loc", "test_unseen_loc")

RULES = (
    Rule("class names", (SPLIT,), class_names),
    Rule("prompt sets", (NAMES,), official_prompt_sets),
    Rule("att", (SPLIT,), partial(matrix_of, "att")),
    Rule("original_att", (SPLIT,), partial(matrix_of, "original_att")),
    Rule("image_files", (PHOTOS,), list_lengths),
    Rule("photo paths", (PHOTOS,), photo_paths),
    Rule("labels", (SPLIT, PHOTOS), partial(row_range, "labels")),
    *(Rule(loc, (SPLIT,), partial(row_range, loc)) for loc in (*LOCS, "train_loc", "val_loc")),
    Rule("photos in splits", ("original_att", *LOCS), official_counts),
    Rule("norms of att", ("att", "class names"), unit_norms),
    Rule("versions of att", ("att", "original_att", "class names"), same_version),
    Rule("degree > mean", ("original_att", "class names", BINARY), binary_matrix),
    Rule("splits", LOCS, each_photo_once),
    Rule("seen and unseen", _LABELLED, disjoint_classes),
    Rule("classes of test_seen_loc", _LABELLED, tested_classes),
    Rule("trainvalclasses.txt", _LABELLED, partial(listed_classes, "trainval", "seen_lines")),
    Rule("testclasses.txt", _LABELLED, partial(listed_classes, "test_unseen", "unseen_lines")),
    Rule("labels and folders", ("labels", "image_files"), folders_of_labels),
)
