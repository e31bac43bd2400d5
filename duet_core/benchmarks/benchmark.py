"""A benchmark for zero-shot recognition: photos, labels, classes, and the splits drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from duet_core.attributes import AttributeSchema
from duet_core.classes import ClassTable, FloatArray, IntArray, unit_rows


class BenchmarkError(ValueError):
    """Benchmark files that are missing or contradict one another; carries every problem found, not only the first."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        super().__init__(f"{where}: {count} found\n" + "\n".join(f"- {problem}" for problem in self.problems))


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which photos to train on and which to judge with. All arrays are 0-based rows.

    Attributes:
        name: "validation" (everything is chosen on it) or "test" (touched once).
        train: (n,) photos to learn from; contrastive partners come from these only.
        seen_eval: (n,) photos of seen classes to judge with, none of them in `train`.
        unseen_eval: (n,) photos of unseen classes to judge with.
        seen_classes: (Cs,) global class rows of the training photos, ascending.
        unseen_classes: (Cu,) global class rows of `unseen_eval`, ascending.
    """

    name: Literal["validation", "test"]
    train: IntArray
    seen_eval: IntArray
    unseen_eval: IntArray
    seen_classes: IntArray
    unseen_classes: IntArray


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """N photos of C classes with A attributes, and the official Proposed Split of them (Xian et al.).

    Attributes:
        name: for logs and tables, for example "CUB".
        schema: the A attributes in class-vector order.
        classes: the C classes with their raw degrees.
        image_paths: N photo files.
        labels: (N,) global class row of each photo.
        trainval, test_seen, test_unseen: (n,) 0-based photo rows, disjoint, covering 0…N-1.
        train, val: (n,) 0-based photo rows; they partition `trainval` and share no class.
        class_embedding: (C, K) vectors of the classes, of any length, that replace z wherever v is compared with a
            class (L_cc, L_ar, L_sc, Eq. 22); None for z. Degrees and attribute sets stay those of `classes`.
    """

    name: str
    schema: AttributeSchema
    classes: ClassTable
    image_paths: tuple[Path, ...]
    labels: IntArray
    trainval: IntArray
    test_seen: IntArray
    test_unseen: IntArray
    train: IntArray
    val: IntArray
    class_embedding: FloatArray | None = None

    def __post_init__(self) -> None:
        shape = None if self.class_embedding is None else self.class_embedding.shape
        if shape is not None and (len(shape) != 2 or shape[0] != len(self.classes.names)):
            problem = f"class_embedding is {shape}; expected ({len(self.classes.names)}, K), a row for each class"
            raise BenchmarkError(self.name, [problem])

    @property
    def class_vectors(self) -> FloatArray:
        """(C, K) what v is compared with, of unit length: z (then K is A), or the class embedding."""
        return self.classes.z if self.class_embedding is None else unit_rows(self.class_embedding)

    def validation_split(self, holdout: float = 0.2, seed: int = 0) -> Split:
        """The split on which epochs, weights and γ are chosen; it holds no test photo.

        Seen classes are those of `train`, unseen classes those of `val`. Of every seen class a share `holdout` of
        its photos (rounded, at least one, never all) is kept out of training as `seen_eval`.

        Raises ValueError for `holdout` outside 0…1 and BenchmarkError for a class with a single photo.
        """
        if not 0.0 < holdout < 1.0:
            raise ValueError(f"holdout: got {holdout}; allowed is more than 0 and less than 1, for example 0.2")
        generator = np.random.default_rng(seed)
        held: list[IntArray] = []
        for label in np.unique(self.labels[self.train]):
            rows = self.train[self.labels[self.train] == label]
            if len(rows) < 2:
                problem = f"class {self.classes.names[label]!r} has 1 photo in train; 2 are needed to hold one out"
                raise BenchmarkError(self.name, [problem])
            count = min(max(round(holdout * len(rows)), 1), len(rows) - 1)
            held.append(generator.permutation(rows)[:count])
        seen_eval = np.sort(np.concatenate(held))
        return Split(
            name="validation",
            train=np.sort(np.setdiff1d(self.train, seen_eval)),
            seen_eval=seen_eval,
            unseen_eval=np.sort(self.val),
            seen_classes=np.unique(self.labels[self.train]),
            unseen_classes=np.unique(self.labels[self.val]),
        )

    def test_split(self) -> Split:
        """The official split for the final figures: train on `trainval`, judge on `test_seen` and `test_unseen`."""
        return Split(
            name="test",
            train=np.sort(self.trainval),
            seen_eval=np.sort(self.test_seen),
            unseen_eval=np.sort(self.test_unseen),
            seen_classes=np.unique(self.labels[self.trainval]),
            unseen_classes=np.unique(self.labels[self.test_unseen]),
        )
