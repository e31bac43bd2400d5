"""`duet grounding`: take out of a bundle's grounding what the model believes before it has seen a photo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from duet_core.benchmarks.opening import open_folder
from duet_core.classes import FloatArray
from duet_core.grounding_evaluation import grounding_precision
from duet_core.grounding_prior import prior_correction
from duet_core.judging.encoded import encode_cached
from duet_core.judging.held_out import check_attributes, check_split
from duet_core.runtime.bundle import open_bundle, renew_files
from duet_core.runtime.encoder import Encoder

_GRAPH = "grounding.onnx"


def run(data: Path, *, bundle: Path = Path("models/birds"), photos: int = 1000, dry: bool = False) -> Iterator[str]:
    """Measure a model's prior on training photos and put that of its classes in its place (Eq. 26, `prior_correction`).

    Run it after `duet export`. Every other of the photos is fitted on, what it prints was judged on the others: the
    share of prompt sets whose best attribute the photo's class has. Only photos that the model was trained on are used.

    Args:
        data: folder of the benchmark the bundle was trained on.
        bundle: folder of the bundle, changed in place.
        photos: how many training photos to look at, taken evenly.
        dry: judge, write nothing.

    Raises ValueError for a bundle of another benchmark or split, or fewer than two photos.
    """
    if photos < 2:
        raise ValueError(f"--photos: got {photos}; allowed is 2 or more, such as 1000")
    opened, benchmark = open_bundle(bundle), open_folder(data)
    check_attributes(opened, benchmark)
    split = benchmark.test_split()
    check_split(opened, split)
    rows = split.train[:: max(1, len(split.train) // photos)]
    looked = yield from encode_cached(opened, benchmark, rows, what="training photos")
    scores = Encoder(opened).attribute_scores(looked.state)  # (n, A)
    present, seen = benchmark.classes.present, split.seen_classes
    factor = prior_correction(scores[::2], present[seen], benchmark.classes.degree[seen])
    own = present[benchmark.labels[rows[1::2]]]  # (n / 2, A)
    judged = {
        "as it was": scores[1::2],
        "with the prior of the classes": scores[1::2] * factor,
        "always the most frequent": present[seen].mean(axis=0, keepdims=True).astype(np.float32),
    }
    shares = {name: grounding_precision(answer, own, opened.schema) for name, answer in judged.items()}
    yield f"best attribute of a prompt set present in the photo's class, {len(own)} training photos, percent:"
    yield "  " + "  ".join(f"{name} {100 * share:.1f}" for name, share in shares.items())
    if not dry:
        scale(bundle / _GRAPH, factor)
        fitted_on = f"{len(rows[::2])} training photos of seen classes"
        renew_files(bundle, [_GRAPH], grounding={"prior": "of the seen classes", "fitted_on": fitted_on})
        open_bundle(bundle)
        yield f"{bundle / _GRAPH} is written"


def scale(file: Path, factor: FloatArray) -> None:
    """Multiply each attribute's row of the graph's `weight` (A, …) by its factor (A,); the largest entry stays."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(file)
    weight = next((tensor for tensor in model.graph.initializer if tensor.name == "weight"), None)
    if weight is None:
        raise ValueError(f"{file} has no `weight` of the attributes; export the bundle again with `duet export`")
    before = numpy_helper.to_array(weight)  # (A, …)
    scaled = before * factor.reshape(-1, *[1] * (before.ndim - 1))
    scaled *= before.max() / scaled.max()
    weight.CopyFrom(numpy_helper.from_array(scaled.astype(before.dtype), "weight"))
    written = file.with_suffix(".new")
    onnx.save(model, written)
    written.replace(file)
