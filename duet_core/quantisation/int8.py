"""int8 with proof: candidates are judged on photos the model never saw, and the first that loses little is kept."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from duet_core.benchmarks import Benchmark, Split
from duet_core.classes import IntArray
from duet_core.judging.held_out import check_attributes, check_split
from duet_core.quantisation.dynamic import write_dynamic
from duet_core.quantisation.gate import TABLE_HEAD, Loss, compare, float32_row, judge_all, table_row
from duet_core.quantisation.graphs import is_convolutional
from duet_core.quantisation.static import Pixels, StaticQuantiser, worst_first
from duet_core.quantisation.writing import with_network
from duet_core.recipe import identity
from duet_core.runtime import Bundle, Encoder, load_rgb

_LADDER = (0, 4, 8, 16, 32)
"""How many of the nodes that hurt most may stay in float32, tried in this order."""
_ALONE = 16
"""Photos on which the error of each node alone is measured; fewer where there are few, a fourth of them."""
_MOST_UNLIKE = 1.5
"""The bundle's own error of v may exceed its stand-in's by this factor."""


class GateError(RuntimeError):
    """The quantised model loses more than allowed; nothing was written. The table was printed before."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to quantise a network: a name for tables, its file, the nodes (by place in the graph) left in float32."""

    name: str
    file: Path
    skipped: tuple[int, ...] = ()


@dataclass(kw_only=True)
class Quantised:
    """What passed: the file, and the record for the manifest."""

    file: Path
    record: dict[str, Any] = field(default_factory=dict)


def validation_split_of(bundle: Bundle, benchmark: Benchmark) -> Split:
    """The validation split as the recipe of the bundle draws it."""
    run = bundle.manifest.get("training", {}).get("recipe", {}).get("run", {})
    return benchmark.validation_split(run.get("holdout", 0.2))


def demand_honest_judge(bundle: Bundle, stand_in: Bundle | None, benchmark: Benchmark) -> Split:
    """The validation split, of whose judged photos the judge (the stand-in, else the bundle) has seen none.

    Raises ValueError for a judge trained on them, for a stand-in of another recipe, or for other attributes.
    """
    judge = stand_in or bundle
    for opened in (bundle, judge):
        check_attributes(opened, benchmark)
    split = validation_split_of(judge, benchmark)
    try:
        check_split(judge, split)
    except ValueError as error:
        raise ValueError(
            f"{error}. A bundle to serve is trained on the validation photos too: give with --stand-in a bundle of the "
            "same recipe's validation run, which `duet export RECIPE --split validation --out runs/stand-in` writes"
        ) from error
    if _recipe_of(bundle) != _recipe_of(judge):
        raise ValueError(
            f"--stand-in: {judge.model_id} is of another recipe than {bundle.model_id}; its loss says nothing of this "
            "one. Export the validation run of the same recipe"
        )
    return split


def _recipe_of(bundle: Bundle) -> str | None:
    """The identity of its recipe, which fields that came after it do not change."""
    plain = bundle.manifest.get("training", {}).get("recipe")
    return None if plain is None else identity(plain)


def quantise_int8(
    bundle: Bundle, stand_in: Bundle | None, benchmark: Benchmark, *, most: float, calibration: int, scratch: Path
) -> Generator[str, None, Quantised]:
    """Quantise the judge's network in each way, keep the first that loses at most `most` points of H, and quantise the
    bundle's own the same way. Yields lines of progress and the table.

    Args:
        bundle: in float32.
        stand_in: judged in its place, where it was trained on the validation photos.
        benchmark: of both.
        most: points of H that may be lost, such as 0.5.
        calibration: training photos for the scales of activations.
        scratch: folder for the networks.

    Raises GateError when no candidate passes, or the bundle is further off than its stand-in; ValueError as
    `demand_honest_judge`.
    """
    split, judge = demand_honest_judge(bundle, stand_in, benchmark), stand_in or bundle
    pixels = _training_pixels(judge, benchmark, split, calibration + _ALONE)
    candidates = yield from _candidates(judge, pixels, scratch)
    bundles = {"float32": judge} | {one.name: with_network(judge, one.file) for one in candidates}
    held_out = yield from judge_all(bundles, benchmark, split)
    losses = {one.name: compare(held_out["float32"], held_out[one.name]) for one in candidates}
    yield f"\n{judge.model_id}, {next(iter(losses.values())).photos} validation photos it was not trained on"
    yield "\n".join([TABLE_HEAD, float32_row(held_out["float32"].metrics), *map(table_row, losses, losses.values())])
    passed = next((one for one in candidates if losses[one.name].points <= most), None)
    if passed is None:
        raise GateError(f"no int8 network loses at most {most:g} points of H (the table above); nothing is written")
    record = {
        "gate": {"judged": judge.model_id, "split": "validation", "allowed_points_of_H": most}
        | losses[passed.name].to_json(bundle.schema.keys),
        "network": passed.name,
        "nodes_in_float32": len(passed.skipped),
    }
    if stand_in is None:
        return Quantised(file=passed.file, record=record)
    own = scratch / "own.onnx"
    _write_like(bundle, passed, pixels, own)
    found = yield from _judge_own(bundle, own, benchmark, split, losses[passed.name])
    return Quantised(file=own, record=record | {"itself": found.to_json(bundle.schema.keys)})


def _judge_own(
    bundle: Bundle, own: Path, benchmark: Benchmark, split: Split, expected: Loss
) -> Generator[str, None, Loss]:
    """The bundle's own network on the same photos, which it was trained on: only its difference to float32 counts."""
    held_out = yield from judge_all({"float32": bundle, "int8": with_network(bundle, own)}, benchmark, split)
    found = compare(held_out["float32"], held_out["int8"])
    yield f"\n{bundle.model_id}, the same photos; it was trained on them, so only the differences mean something"
    yield "\n".join([TABLE_HEAD, float32_row(found.before), table_row("int8", found)])
    if not found.error <= _MOST_UNLIKE * expected.error:
        raise GateError(
            f"{bundle.model_id}: v is off by {found.error:.3f} of its norm, its stand-in's by {expected.error:.3f}; at "
            f"most {_MOST_UNLIKE} times that is allowed, so the gate says nothing of it; nothing is written"
        )
    return found


def _candidates(judge: Bundle, pixels: Pixels, scratch: Path) -> Generator[str, None, list[Candidate]]:
    """The networks to be judged: one for transformers; for convolutional ones one for each step of the ladder."""
    source = judge.folder / "vision.onnx"
    if not is_convolutional(source):
        file = scratch / "dynamic.onnx"
        write_dynamic(source, file)
        return [Candidate(name="int8, matrix products", file=file)]
    alone, rest = _parted(pixels)
    yield f"calibrating on {len(rest)} training photos"
    quantiser = StaticQuantiser(source, rest)
    errors = quantiser.errors_alone(alone)
    order = worst_first(errors)
    yield f"of {len(order)} nodes these hurt most, alone: " + ", ".join(f"{n} {errors[n]:.3f}" for n in order[:6])
    made = []
    for count in (step for step in _LADDER if step < len(order)):
        file = scratch / f"static{count}.onnx"
        onnx.save(quantiser.quantised(skipped=order[:count]), file)
        places = tuple(sorted(quantiser.nodes.index(name) for name in order[:count]))
        name = "int8, all nodes" if not count else f"int8, {count} nodes in float32"
        made.append(Candidate(name=name, file=file, skipped=places))
    return made


def _write_like(bundle: Bundle, passed: Candidate, pixels: Pixels, out: Path) -> None:
    """The bundle's own network, quantised as the candidate that passed."""
    source = bundle.folder / "vision.onnx"
    if not is_convolutional(source):
        write_dynamic(source, out)
        return
    quantiser = StaticQuantiser(source, _parted(pixels)[1])
    names: Sequence[str] = quantiser.nodes
    onnx.save(quantiser.quantised(skipped=[names[place] for place in passed.skipped]), out)


def _parted(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """Photos to measure the error of nodes on, and photos to calibrate with."""
    alone = min(_ALONE, -(-len(pixels) // 4))
    return pixels[:alone], pixels[alone:]


def _training_pixels(judge: Bundle, benchmark: Benchmark, split: Split, count: int) -> Pixels:
    """Prepared training photos (count, 3, S, S), evenly from the split's."""
    rows: IntArray = split.train[np.linspace(0, len(split.train) - 1, min(count, len(split.train))).astype(int)]
    prepare = Encoder(judge).prepare
    shuffled = np.random.default_rng(0).permutation(rows)
    return np.stack([prepare(load_rgb(benchmark.image_paths[row])) for row in shuffled])
