"""`duet report`: one HTML page with every figure of a finished model on a benchmark's held-out photos."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from duet_core.commands.location import bundle_folder


def run(
    data: Path,
    *,
    bundle: Sequence[str] = (),
    out: Path = Path("report"),
    split: Literal["validation", "test"] = "test",
    photo: Sequence[str] = (),
    sheets: int = 6,
    seed: int = 0,
    cache: Path = Path(".cache/encoded"),
) -> Iterator[str]:
    """Write one HTML page: curve, interpretation sheets, classes, attributes, confusions, map, statistics.

    The page needs nothing else. The report describes a finished, frozen model. Nothing may be chosen from what it shows
    of test photos. Photos are encoded once and kept; torch is not needed.

    Args:
        data: folder of the benchmark the bundle was trained on, in the official layout or your own.
        bundle: folder of the exported model; default DUET_BUNDLE, else models/birds. Given again, further models of the
            same benchmark are drawn into the seen-unseen curve.
        out: folder written to: index.html, figures.json, figures/.
        split: test, or validation for a bundle exported from a validation run.
        photo: a held-out photo to make a sheet of, such as 016.Painted_Bunting/a.jpg; may be given again.
        sheets: without --photo, so many photos are drawn by chance.
        seed: of that draw.
        cache: folder of the encoded photos.

    Raises ValueError when a bundle was trained on another split or on other attributes, for a photo not held out, or
    for a number of sheets below 0.
    """
    if sheets < 0:
        raise ValueError(f"--sheets: got {sheets}; allowed is 0 or more, such as 6")
    from duet_core.benchmarks.opening import open_folder
    from duet_core.figures.material import Material
    from duet_core.figures.report import write_report
    from duet_core.judging.held_out import HeldOut, judge_held_out
    from duet_core.judging.interpretation import draw_places, find_places
    from duet_core.judging.interpretation import sheets as make_sheets
    from duet_core.runtime import open_bundle

    folders = [Path(one) for one in bundle] or [bundle_folder(None)]
    benchmark = open_folder(data)
    chosen = benchmark.validation_split() if split == "validation" else benchmark.test_split()
    opened = [open_bundle(folder) for folder in folders]
    models: list[HeldOut] = []
    for one in opened:
        models.append((yield from judge_held_out(one, benchmark, chosen, cache)))
    places = find_places(models[0], photo) if photo else draw_places(models[0], sheets, seed)
    material = Material(
        bundle=opened[0],
        models=models,
        sheets=make_sheets(models[0], opened[0], places),
        seed=None if photo else seed,
        command=_command(data, folders, split, photo, sheets, seed, out),
    )
    yield from write_report(material, out)


def _command(
    data: Path, folders: Sequence[Path], split: str, photo: Sequence[str], sheets: int, seed: int, out: Path
) -> str:
    """The command that makes this report again; what is as by default is left out."""
    words = ["duet", "report", str(data)]
    for folder in folders:
        words += ["--bundle", str(folder)]
    if split != "test":
        words += ["--split", split]
    for one in photo:
        words += ["--photo", one]
    if not photo and sheets != 6:
        words += ["--sheets", str(sheets)]
    if not photo:
        words += ["--seed", str(seed)]
    return shlex.join([*words, "--out", str(out)])
