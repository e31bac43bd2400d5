"""Interpretation sheets (Eq. 26, Figure 6): what the masks are filled with, beside the degrees of the photo's class."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from duet_core.calibration import probabilities
from duet_core.classes import FloatArray, IntArray
from duet_core.grounding_evaluation import grounding_precision
from duet_core.judging.held_out import HeldOut
from duet_core.judging.names import readable
from duet_core.runtime import Bundle, Encoder, ground


@dataclass(frozen=True)
class SheetAttribute:
    """A filling of a mask: `score` is its share in the set's best three, `degree` and `agrees` are the class's.

    `degree` is in 0…1 by one min-max over the whole class table, as the paper's ground truth; `agrees` when the class
    has the attribute (A_c: its raw degree is above the mean of the table).
    """

    name: str
    score: float
    degree: float
    agrees: bool


@dataclass(frozen=True)
class SheetSet:
    """One prompt set: its best three, and the class's strongest attribute (name, degree) when it is not among them."""

    prompt: str
    attributes: tuple[SheetAttribute, ...]
    missed: tuple[str, float] | None


@dataclass(frozen=True)
class Sheet:
    """One photo.

    Attributes:
        row: of the photo in the benchmark.
        photo: class folder and file name.
        true_class, answer: names as people read them; `answer` is given with all classes competing.
        seen: whether the true class was trained with.
        probability: of the answer.
        sets: the prompt sets in schema order.
    """

    row: int
    photo: str
    true_class: str
    seen: bool
    answer: str
    probability: float
    sets: tuple[SheetSet, ...]

    @property
    def right(self) -> bool:
        """Whether the answer is the true class."""
        return self.answer == self.true_class

    @property
    def agreeing_first(self) -> int:
        """Prompt sets whose best attribute the class has."""
        return sum(one.attributes[0].agrees for one in self.sets)


class PhotoChoiceError(ValueError):
    """A photo asked for that is not among the held-out ones."""


def draw_places(held_out: HeldOut, count: int, seed: int) -> IntArray:
    """Places in `HeldOut.rows` of photos drawn by chance: half of seen classes, half of unseen ones, each once.

    Nothing the model says of a photo enters, so a sheet is no picked success. `count` is cut to what there is.
    """
    generator = np.random.default_rng(seed)
    first = min(count - count // 2, len(held_out.seen))
    second = min(count // 2, len(held_out.unseen))
    seen = generator.choice(len(held_out.seen), first, replace=False)
    unseen = generator.choice(len(held_out.unseen), second, replace=False) + len(held_out.seen)
    return np.concatenate([seen, unseen]).astype(np.int64)


def find_places(held_out: HeldOut, photos: Sequence[str]) -> IntArray:
    """Places of photos by file name, with its class folder where the name alone is not enough.

    Raises PhotoChoiceError for one that is not held out (training photos are not shown) or for a name of several.
    """
    paths = [held_out.benchmark.image_paths[row] for row in held_out.rows]
    known = [f"{path.parent.name}/{path.name}" for path in paths]
    places = []
    for photo in photos:
        found = [i for i, name in enumerate(known) if name == photo or name.endswith(f"/{photo}")]
        if len(found) != 1:
            near = ", ".join(difflib.get_close_matches(photo, known, n=2, cutoff=0.0))
            what = "several held-out photos are called so" if found else "no held-out photo is called so"
            raise PhotoChoiceError(f"got {photo!r}: {what}; give one of the {len(known)} such as {near}")
        places.append(found[0])
    return np.array(places, dtype=np.int64)


def sheets(held_out: HeldOut, bundle: Bundle, places: IntArray) -> list[Sheet]:
    """One sheet for each place in `HeldOut.rows`."""
    scores = Encoder(bundle).attribute_scores(held_out.state[places]) if len(places) else ()
    handicap = np.where(np.arange(len(held_out.candidates)) < len(held_out.split.seen_classes), held_out.gamma, 0.0)
    share = probabilities(held_out.scores - handicap, bundle.calibration.temperature)
    names = held_out.benchmark.classes.names
    found = []
    for place, attribute_scores in zip(places.tolist(), scores, strict=True):
        row, label = int(held_out.rows[place]), int(held_out.label[place])
        path = held_out.benchmark.image_paths[row]
        found.append(
            Sheet(
                row=row,
                photo=f"{path.parent.name}/{path.name}",
                true_class=readable(names[label]),
                seen=bool(held_out.is_seen[place]),
                answer=readable(names[held_out.predicted[place]]),
                probability=float(share[place].max()),
                sets=sheet_sets(held_out, attribute_scores, label),
            )
        )
    return found


def sheet_sets(held_out: HeldOut, attribute_scores: FloatArray, label: int) -> tuple[SheetSet, ...]:
    """The prompt sets of a photo with these attribute scores (A,), beside the degrees of the class in row `label`."""
    schema, classes = held_out.benchmark.schema, held_out.benchmark.classes
    degree, present = classes.degree[label], classes.present[label]
    row_of = {key: row for row, key in enumerate(schema.keys)}
    found = []
    for entry, members in zip(ground(attribute_scores, schema), schema.prompt_sets, strict=True):
        rows = [row_of[one.key] for one in entry.attributes]
        kept = tuple(
            SheetAttribute(one.name, one.score, float(degree[row]), bool(present[row]))
            for one, row in zip(entry.attributes, rows, strict=True)
        )
        strongest = max(members, key=lambda row: float(degree[row]))
        missed = None if strongest in rows else (schema.attributes[strongest].name, float(degree[strongest]))
        found.append(SheetSet(entry.prompt, kept, missed))
    return tuple(found)


def agreement(held_out: HeldOut, bundle: Bundle) -> dict[str, float]:
    """Share of (photo, prompt set) pairs whose best attribute the photo's class has, over all held-out photos.

    Beside it the same for one answer to every photo: the attribute of each set that most classes trained with have.
    """
    schema, present = bundle.schema, held_out.benchmark.classes.present
    common = present[held_out.split.seen_classes].mean(axis=0, dtype=np.float32)[None]
    encoder, found = Encoder(bundle), {}
    for group, photos in (("seen", held_out.seen), ("unseen", held_out.unseen)):
        truth = present[photos.label]
        found[group] = grounding_precision(encoder.attribute_scores(photos.state), truth, schema)
        found[f"{group}_most_frequent"] = grounding_precision(common, truth, schema)
    return found
