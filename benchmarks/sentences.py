"""Unseen species by sentence against unseen species by official vector, with one bundle. No choice is made here.

DUET_BUNDLE names the bundle (default models/birds), DUET_DATA the folder with CUB127 and descriptions. With `--seen`
the same is run on the seen classes the bundle was fitted on, which shows that it runs, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from duet_core.benchmarks import Benchmark, load_xlsa17
from duet_core.classes import BoolArray, FloatArray, IntArray
from duet_core.runtime import Bundle, Encoder, PromptError, TextInterpreter, class_vector, load_rgb, open_bundle
from duet_core.runtime.metric import Metric
from duet_core.sentence_fit import descriptions_of, letters

ROOT = Path(__file__).resolve().parents[1]
TEXTS = ROOT / "tests" / "data" / "bird_texts.json"
BATCH = 16
SURE = 0.5
"""Least degree of a reading that counts as an attribute said."""
STRONGEST = 30
"""Attributes of a vector whose overlap with those of the official one is counted."""


@dataclass(frozen=True)
class Photos:
    """P photos and the n classes they are of. `v` (P, A), `labels` (P,) rows of `classes` (n,), global class rows."""

    v: FloatArray
    labels: IntArray
    classes: IntArray

    def of(self, rows: Sequence[int]) -> Photos:
        """Only the photos of some of the classes."""
        kept = np.isin(self.labels, rows)
        return Photos(self.v[kept], np.searchsorted(rows, self.labels[kept]), self.classes[list(rows)])


def photos_of(bench: Benchmark, bundle: Bundle, *, seen: bool) -> Photos:
    """Every test photo of the unseen (or the seen) classes through the bundle's encoder."""
    rows = bench.test_seen if seen else bench.test_unseen
    encoder = Encoder(bundle)
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    v = np.concatenate([encoder.encode([load_rgb(bench.image_paths[row]) for row in part]).v for part in parts])
    classes, labels = np.unique(bench.labels[rows], return_inverse=True)
    return Photos(v, labels.astype(np.int64), classes)


def accuracy(photos: Photos, z: FloatArray, against: FloatArray | None = None, gamma: float = 0.0) -> float:
    """Top-1 per class, averaged, in percent: among z (n, A) alone, or also against seen classes (m, A) less gamma."""
    scores = photos.v @ z.T
    right = scores.argmax(axis=1) == photos.labels
    if against is not None:
        right &= scores.max(axis=1) > (photos.v @ against.T).max(axis=1) - gamma
    return 100 * float(np.mean([right[photos.labels == row].mean() for row in range(len(z))]))


def vectors(
    interpreter: TextInterpreter, texts: Sequence[str], metric: Metric
) -> tuple[FloatArray, list[dict[str, float]]]:
    """(n, A) class vectors of texts, and what was read of each; a text nothing is read from gets the mean bird."""
    made, read = [], []
    for text in texts:
        try:
            made.append(class_vector(interpreter.interpret(text).degrees, metric))
        except PromptError:
            made.append(class_vector(interpreter.prior, metric))
        found = interpreter.read(text).found.values()
        read.append({attribute.key: attribute.degree for attribute in found if attribute.degree >= SURE})
    return np.stack(made), read


def shares_right(
    z: FloatArray, official: FloatArray, present: BoolArray, read: Sequence[Mapping[str, float]], keys: Sequence[str]
) -> tuple[float, float]:
    """Percent of the attributes read that the class has (A_c), and of its strongest ones among the vector's."""
    rows = {key: row for row, key in enumerate(keys)}
    said = [present[n, rows[key]] for n, found in enumerate(read) for key in found]
    top = [
        set(np.argsort(-one)[:STRONGEST]) & set(np.argsort(-two)[:STRONGEST])
        for one, two in zip(z, official, strict=True)
    ]
    return 100 * float(np.mean(said)), 100 * float(np.mean([len(both) / STRONGEST for both in top]))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sentences", description=__doc__)
    parser.add_argument("--seen", action="store_true", help="a trial on seen classes")
    seen = parser.parse_args().seen
    data = Path(os.environ.get("DUET_DATA", ROOT.parent / "shared" / "data"))
    bundle = open_bundle(os.environ.get("DUET_BUNDLE", ROOT / "models" / "birds"))
    bench = load_xlsa17(data / "CUB127", check_photos=False)
    photos = photos_of(bench, bundle, seen=seen)
    names = [bench.classes.names[row] for row in photos.classes]
    described = json.loads((data / "descriptions" / "descriptors_cub.json").read_text(encoding="utf-8"))
    kind = "seen (fitted on: no result)" if seen else "unseen"
    print(
        f"{bundle.model_id}: {len(names)} {kind} species, {len(photos.v)} photos, learned map: "
        f"{'yes' if bundle.sentences else 'no'}"
    )
    show_phrases(bench, bundle, photos, descriptions_of(names, described))
    if not seen:
        show_styles(bench, bundle, photos, names, json.loads(TEXTS.read_text(encoding="utf-8")))


def show_phrases(bench: Benchmark, bundle: Bundle, photos: Photos, told: Sequence[Sequence[str]]) -> None:
    """Per number of phrases: T1 and U against the official vectors, and the shares of attributes got right."""
    interpreter = TextInterpreter(bundle)
    metric = bundle.classes.metric
    official, present = metric.unit(bench.classes.z[photos.classes]), bench.classes.present[photos.classes]
    gamma, others = bundle.calibration.gamma, bundle.classes.z
    best, best_u = accuracy(photos, official), accuracy(photos, official, others, gamma)
    print(f"official vectors: T1 {best:.1f}, U {best_u:.1f}")
    print("| phrases | T1 | of official | U | read right | strongest 30 right |\n|---|---|---|---|---|---|")
    for count in (1, 2, 3, 4, 5, None):
        z, read = vectors(interpreter, [", ".join(phrases[:count]) for phrases in told], metric)
        said, top = shares_right(z, official, present, read, bundle.schema.keys)
        t1, u = accuracy(photos, z), accuracy(photos, z, others, gamma)
        print(f"| {count or 'all'} | {t1:.1f} | {t1 / best:.0%} | {u:.1f} | {said:.1f} | {top:.1f} |")


def show_styles(
    bench: Benchmark, bundle: Bundle, photos: Photos, names: Sequence[str], texts: Mapping[str, Mapping[str, str]]
) -> None:
    """The repository's own texts: T1 among the species they are of, for each style."""
    interpreter = TextInterpreter(bundle)
    rows = sorted([letters(name) for name in names].index(letters(species)) for species in texts)
    by_letters = {letters(species): styles for species, styles in texts.items()}
    own = photos.of(rows)
    metric = bundle.classes.metric
    official, present = metric.unit(bench.classes.z[own.classes]), bench.classes.present[own.classes]
    best = accuracy(own, official)
    print(f"own texts of {len(rows)} of the species, among these: official vectors T1 {best:.1f}")
    print("| style | T1 | of official | read right | strongest 30 right |\n|---|---|---|---|---|")
    for style in next(iter(texts.values())):
        z, read = vectors(interpreter, [by_letters[letters(names[row])][style] for row in rows], metric)
        said, top = shares_right(z, official, present, read, bundle.schema.keys)
        t1 = accuracy(own, z)
        print(f"| {style} | {t1:.1f} | {t1 / best:.0%} | {said:.1f} | {top:.1f} |")


if __name__ == "__main__":
    main()
