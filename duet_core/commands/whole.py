"""`duet whole`: whole photos against the bird's box, and what several views of a photo give back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from duet_core.benchmarks import load_xlsa17
from duet_core.commands.location import bundle_folder
from duet_core.judging.held_out import check_attributes, check_split
from duet_core.judging.tables import table
from duet_core.judging.whole_views import held_out_whole, judge_whole
from duet_core.runtime import open_bundle


def run(
    data: Path, whole: Path, *, bundle: Path | None = None, split: Literal["test", "validation"] = "validation"
) -> Iterator[str]:
    """Accuracy of seen classes on whole photos whose crop was held out, for several ways to look at a photo.

    Choose a way on validation, with a bundle of the validation run; report it on test.

    Args:
        data: folder of the benchmark, in the xlsa17 layout.
        whole: folder of whole photos, <class>/<photo>.jpg, named as their crops are.
        bundle: folder of the exported model; default DUET_BUNDLE, else models/birds.
        split: whose held-out photos.

    Raises ValueError when the bundle was trained on another split, or no photo is held out.
    """
    opened, benchmark = open_bundle(bundle_folder(bundle)), load_xlsa17(data)
    chosen = benchmark.validation_split() if split == "validation" else benchmark.test_split()
    check_attributes(opened, benchmark)
    check_split(opened, chosen)
    photos = held_out_whole(whole, benchmark, chosen)
    classes = len({file.parent.name for file, _ in photos})
    yield f"{opened.model_id}, {benchmark.name} {split}: {len(photos)} whole photos of {classes} seen classes"
    rows = [
        [
            one.name,
            f"{one.encodings:.0f}",
            f"{one.milliseconds:.0f}",
            f"{100 * one.among_seen:.1f}",
            f"{100 * one.among_all:.1f}",
        ]
        for one in judge_whole(opened, benchmark, chosen, photos)
    ]
    yield table(("view of the photo", "encodings", "ms a photo", "among seen", "among all"), rows)
