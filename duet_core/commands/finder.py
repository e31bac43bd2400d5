"""`duet finder`: teach a bundle to find the object in whole photos."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from duet_core.benchmarks import open_benchmark
from duet_core.config_file import load_config
from duet_core.finding.recipe import FinderRecipe
from duet_core.judging.held_out import check_attributes, check_split
from duet_core.runtime import load_rgb, open_bundle
from duet_core.runtime.bundle import renew_files
from duet_core.runtime.finder import FINDER, open_finder


def run(
    config: Path,
    whole: Path,
    *,
    bundle: Path = Path("models/birds"),
    split: Literal["test", "validation"] = "test",
    stages: int = FinderRecipe.stages,
    side: int = FinderRecipe.side,
    epochs: int = FinderRecipe.epochs,
    seed: int = 0,
) -> Iterator[str]:
    """Train a small network to find the box that a crop was cut from, and write it into the bundle as finder.onnx.

    Run it after `duet export`. Only whole photos are trained on whose crops the model was trained on; what it prints
    was judged on those whose crop was held out.

    Args:
        config: the recipe of the bundle, whose encoder the network's first stages are taken from.
        whole: folder of whole photos, <class>/<photo>.jpg, named as their crops are.
        bundle: folder of the bundle, changed in place.
        split: what the bundle was trained on: of `duet export --split`.
        stages: of the encoder that are kept.
        side: pixels a side of what the network reads.
        epochs: windows drawn of every photo.
        seed: of the draws.

    Raises ValueError for a bundle of another benchmark or split, too few photos, or an encoder without stages.
    """
    from duet_core.export.model_card import write_card
    from duet_core.finding.export import write_finder
    from duet_core.finding.fitting import fit_finder
    from duet_core.finding.judging import mean_overlap
    from duet_core.finding.pairs import find_pairs

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe, opened = load_config(config), open_bundle(bundle)
    benchmark = open_benchmark(recipe.data)
    chosen = benchmark.test_split() if split == "test" else benchmark.validation_split(recipe.run.holdout)
    check_attributes(opened, benchmark)
    check_split(opened, chosen)
    trained = yield from find_pairs(whole, benchmark, chosen.train)
    held_out = yield from find_pairs(whole, benchmark, chosen.seen_eval)
    preprocessing = opened.preprocessing
    made = FinderRecipe(stages=stages, side=side, epochs=epochs)
    network = yield from fit_finder(
        trained, recipe.vision, mean=preprocessing.mean, std=preprocessing.std, recipe=made, seed=seed
    )
    write_finder(bundle / FINDER, network, side=side)
    finder = open_finder(bundle / FINDER, preprocessing)
    shared, half = mean_overlap(finder, held_out)
    note = {
        "fitted_on": f"{len(trained)} whole photos of seen classes",
        "held_out": {"photos": len(held_out), "mean_iou": round(shared, 3), "iou_above_half": round(half, 3)},
        "golden": asdict(finder.find(load_rgb(bundle / "golden.png"))),
    }
    renew_files(bundle, [FINDER], finder=note)
    write_card(open_bundle(bundle))
    yield f"fitted on {len(trained)} whole photos of seen classes"
    yield f"on {len(held_out)} held-out ones: mean IoU {shared:.3f}, above 0.5 in {100 * half:.1f} %"
    yield f"{bundle / FINDER}: {(bundle / FINDER).stat().st_size / 1000:.0f} kB"
